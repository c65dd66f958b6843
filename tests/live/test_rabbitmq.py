"""RabbitMQ keeps the contract of a source, and behaviour that needs a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from connectors.errors import Unavailable
from connectors.message import Outcomes, Rejected, Rejection
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from tests.contract.source import Receiver, SourceContract
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture(params=["classic", "quorum"])
def rig(request: pytest.FixtureRequest, rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": request.param}) as rig:
        yield rig


class TestRabbitMQSource(SourceContract):
    """The contract, on a classic queue and on a quorum queue."""


def test_a_parked_message_is_complete_and_has_its_reason(rig: RabbitMQRig) -> None:
    """Original body and properties, persistent, and headers for its reader."""
    rig.publish(
        b"\x00poison",
        properties=pika.BasicProperties(
            content_type="application/json",
            headers={"tenant": "a", "CC": [], "n": 17},
            message_id="m-1",
            correlation_id="c-1",
            timestamp=1767225600,
            expiration="3600000",
            user_id="guest",
            delivery_mode=1,
        ),
    )
    source = rig.source()
    receiver = Receiver(source.consumer(source.consumers()[0]))
    [(origin, message)] = receiver.wait_for(1)

    rejection = Rejection("document_parsing_exception: no", 400, "events", "m-1", 2)
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(message, rejection)]))

    [(body, properties)] = until(rig.parked_whole)
    assert body == b"\x00poison"
    assert properties.delivery_mode == 2
    assert (properties.content_type, properties.message_id) == ("application/json", "m-1")
    assert (properties.correlation_id, properties.timestamp) == ("c-1", 1767225600)
    assert properties.expiration is None, "it would vanish"
    headers = properties.headers
    assert headers["tenant"] == "a"
    assert headers["n"] == 17
    assert headers["x-hopper-reason"] == "document_parsing_exception: no"
    assert headers["x-hopper-status"] == 400
    assert headers["x-hopper-index"] == "events"
    assert headers["x-hopper-id"] == "m-1"
    assert headers["x-hopper-attempts"] == 2
    assert headers["x-hopper-queue"] == rig.queue
    assert headers["x-hopper-routing-key"] == rig.queue
    assert headers["x-hopper-time"].startswith("20")
    receiver.consumer.close()
    assert rig.left() == 0


def test_a_message_that_cannot_be_parked_stays_unacknowledged(rig: RabbitMQRig) -> None:
    """Until a queue takes it; other messages are not delayed."""
    exchange = f"{rig.queue}.exchange"
    rig.channel.exchange_declare(exchange, "fanout")
    rig.publish(b"poison", b"fine")
    source = RabbitMQ(rig.spec(), RabbitMQDeadLetter(exchange=exchange), workers=1)
    receiver = Receiver(source.consumer(source.consumers()[0]))
    (origin, poison), fine = receiver.wait_for(2)

    receiver.consumer.settle(Outcomes(origin, [], [Rejected(poison, Rejection("bad"))]))
    receiver.store([fine])
    until(lambda: receiver.consumer.unacknowledged == 1)
    rig.channel.queue_declare(rig.parking, durable=True)
    rig.channel.queue_bind(rig.parking, exchange)

    assert until(rig.parked) == [(b"poison", "bad")]
    until(lambda: receiver.consumer.unacknowledged == 0)
    receiver.consumer.close()
    assert rig.left() == 0
    rig.channel.exchange_delete(exchange)


def test_a_deleted_exchange_is_waited_for(
    rig: RabbitMQRig, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker closes the publishing channel; the message is parked when the exchange is back."""
    exchange = f"{rig.queue}.exchange"
    rig.channel.exchange_declare(exchange, "fanout")
    rig.channel.queue_declare(rig.parking, durable=True)
    rig.channel.queue_bind(rig.parking, exchange)
    rig.publish(*(b"poison %d" % number for number in range(10)))
    source = RabbitMQ(rig.spec(), RabbitMQDeadLetter(exchange=exchange), workers=1)
    receiver = Receiver(source.consumer(source.consumers()[0]))
    origin, first = receiver.wait_for(10)[0]
    poison = [message for _, message in receiver.messages()]

    receiver.consumer.settle(Outcomes(origin, [], [Rejected(first, Rejection("bad"))]))
    until(lambda: receiver.consumer.unacknowledged == 9)
    rig.channel.exchange_delete(exchange)
    for message in poison[1:]:
        receiver.consumer.settle(Outcomes(origin, [], [Rejected(message, Rejection("bad"))]))
    until(lambda: "no exchange" in caplog.text)
    rig.channel.exchange_declare(exchange, "fanout")
    rig.channel.queue_bind(rig.parking, exchange)

    until(lambda: len(set(rig.parked())) == 10)
    until(lambda: receiver.consumer.unacknowledged == 0)
    receiver.consumer.close()
    assert rig.left() == 0
    rig.channel.exchange_delete(exchange)


def test_without_a_dead_letter_rejected_messages_go_to_that_of_the_queue(rig: RabbitMQRig) -> None:
    """They are rejected without requeue: its dead-letter exchange gets them."""
    rig.channel.queue_declare(rig.parking, durable=True)
    rig.channel.queue_delete(rig.queue)
    rig.channel.queue_declare(
        rig.queue,
        durable=True,
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": rig.parking},
    )
    rig.publish(b"fine", b"poison", b"fine")
    source = RabbitMQ(rig.spec(), None, workers=1)
    receiver = Receiver(source.consumer(source.consumers()[0]))
    messages = receiver.wait_for(3)

    origin, poison = messages[1]
    receiver.store([messages[0], messages[2]])
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(poison, Rejection("bad"))]))
    receiver.consumer.close()

    method, _, body = until(lambda: answer(rig))
    assert method
    assert body == b"poison"
    assert rig.left() == 0


def answer(rig: RabbitMQRig) -> Any:
    got = rig.channel.basic_get(rig.parking, auto_ack=True)
    return got if got[0] is not None else None


def test_a_consumer_that_the_broker_cancels_reconnects(rig: RabbitMQRig) -> None:
    """As when a queue moves to another node; here it is deleted and declared again."""
    source = RabbitMQ(rig.spec(declare={}), None, workers=1)
    rig.channel.queue_delete(rig.queue)
    receiver = Receiver(source.consumer(source.consumers()[0]))
    until(receiver.take)

    rig.channel.queue_delete(rig.queue)
    until(lambda: len(receiver.take()) >= 3)
    rig.publish(b"after")

    assert receiver.wait_for(1)[0][1].body == b"after"
    receiver.consumer.close()


def test_a_missing_queue_is_named(rig: RabbitMQRig) -> None:
    spec = rig.spec().model_copy(update={"queue": ("no-such-queue",)})

    with pytest.raises(Unavailable, match=r"no queue 'no-such-queue'"):
        RabbitMQ(spec, None, workers=1).check()


def test_a_broker_that_is_down_is_named_without_the_password(rig: RabbitMQRig) -> None:
    """Host, port and virtual host; after five attempts."""
    spec = RabbitMQSource.model_validate(
        {"url": "amqp://someone:s3cret@127.0.0.1:1/team%2Fa", "queue": "q"}
    )

    with pytest.raises(Unavailable) as error:
        RabbitMQ(spec, None, workers=1).check()

    text = str(error.value)
    assert '127.0.0.1:1, virtual host "team/a"' in text
    assert "Connection refused" in text
    assert "s3cret" not in text
    assert "5 attempts" in text


def test_a_wrong_password_is_reported(rig: RabbitMQRig) -> None:
    url = urlsplit(rig.url)
    wrong = url._replace(netloc=f"guest:wr0ng@127.0.0.1:{url.port}").geturl()
    spec = RabbitMQSource.model_validate({"url": wrong, "queue": rig.queue})

    with pytest.raises(Unavailable, match="ACCESS_REFUSED") as error:
        RabbitMQ(spec, None, workers=1).check()

    assert "wr0ng" not in str(error.value)


def test_the_first_url_that_accepts_the_login_is_used(rig: RabbitMQRig) -> None:
    spec = rig.spec(url=["amqp://guest:guest@127.0.0.1:1/", rig.url])
    rig.publish(b"1")

    RabbitMQ(spec, None, workers=1).check()
    receiver = Receiver(RabbitMQ(spec, None, workers=1).consumer(f"{rig.queue}/000"))

    assert receiver.wait_for(1)[0][1].body == b"1"
    receiver.consumer.close()
