"""Parking under bad conditions: headers that fill a frame, and a broker without memory."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from connectors.connector import Source
from connectors.message import Message, Origin, Outcomes, Rejected, Rejection
from connectors.rabbitmq import parker
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Receiver
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live

FRAME_BYTES = 131072
"""RabbitMQ's default for the largest frame."""


@pytest.fixture(params=["classic", "quorum"])
def rig(request: pytest.FixtureRequest, rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": request.param}) as rig:
        yield rig


class EncodedHeaders(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """Headers in their encoded form: pika can write neither all types nor all depths."""

    def __init__(self, fields: bytes) -> None:
        super().__init__()
        self._fields = fields

    def encode(self) -> list[bytes]:
        return [b"\x20\x00" + struct.pack(">I", len(self._fields)) + self._fields]


def deep(levels: int) -> bytes:
    value = b"V"
    for _ in range(levels):
        value = b"A" + struct.pack(">I", len(value)) + value
    return b"\x04deep" + value


def blob(size: int) -> bytes:
    return b"\x04blobS" + struct.pack(">I", size) + b"x" * size


FULL = blob(FRAME_BYTES - 20 - 6 - 10)
"""Nothing more fits: 20 bytes are the frame's, six the table's, ten the field's."""
HEADERS = {
    "full": FULL,
    "ten thousand": b"".join(b"\x06%06db\x01" % number for number in range(10_000)),
    "deep": deep(5000),
    "decimal": b"\x01dD\xff\x7f\xff\xff\xff",
    "no time": b"\x01tT" + b"\xff" * 8,
    "no text": b"\x01\xffS\x00\x00\x00\x01\xff",
}


def reject(receiver: Receiver, origin: Origin, message: Message, reason: str = "bad") -> None:
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(message, Rejection(reason))]))


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_any_headers_can_be_parked(rig: RabbitMQRig, headers: bytes) -> None:
    """At the second delivery they are larger: a quorum queue adds its count to them."""
    rig.publish(b"poison", properties=EncodedHeaders(headers))
    receiver = Receiver(rig.source().consumer(f"{rig.queue}/000"))
    receiver.wait_for(1)
    rig.cut()
    origin, message = receiver.wait_for(2)[1]

    reject(receiver, origin, message)

    until(lambda: parked(rig))
    receiver.consumer.close()
    assert rig.left() == 0


def parked(rig: RabbitMQRig) -> int:
    """The number of parked messages, which stay there, since pika could not read their headers."""
    answer = rig.channel.queue_declare(rig.parking, durable=True)
    count: int = answer.method.message_count
    return count


def test_headers_that_fill_the_frame_are_left_out(rig: RabbitMQRig) -> None:
    """Everything else of the message is kept, and a header says so."""
    rig.publish(b"poison", properties=EncodedHeaders(FULL))
    receiver = Receiver(rig.source().consumer(f"{rig.queue}/000"))
    [(origin, message)] = receiver.wait_for(1)

    reject(receiver, origin, message, "why " * 1000)

    [(body, properties)] = until(rig.parked_whole)
    assert body == b"poison"
    assert properties.headers["x-hopper-reason"] == ("why " * 1000)[:200]
    assert properties.headers["x-hopper-left-out"] == "headers"
    assert properties.headers["x-hopper-queue"] == rig.queue
    receiver.consumer.close()


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_any_headers_can_be_returned(rig: RabbitMQRig, headers: bytes) -> None:
    """By an exchange without a queue; after it has one, they are parked."""
    exchange = f"{rig.queue}.exchange"
    rig.channel.exchange_declare(exchange, "fanout")
    rig.publish(b"poison", properties=EncodedHeaders(headers))
    source = RabbitMQ(rig.spec(), RabbitMQDeadLetter(exchange=exchange), workers=1)
    receiver = Receiver(source.consumer(f"{rig.queue}/000"))
    [(origin, message)] = receiver.wait_for(1)

    reject(receiver, origin, message)
    rig.channel.queue_declare(rig.parking, durable=True)
    rig.channel.queue_bind(rig.parking, exchange)

    until(lambda: parked(rig))
    receiver.consumer.close()
    assert rig.left() == 0
    rig.channel.exchange_delete(exchange)


def test_a_broker_short_of_memory_is_waited_for(caplog: Any) -> None:
    """Rejected messages stay unacknowledged, stored ones do not; and the log says so."""
    with Broker("memory") as broker, rabbitmq_rig(broker.url) as rig:
        rig.publish(*(b"%d" % number for number in range(20)))
        receiver = Receiver(rig.source().consumer(f"{rig.queue}/000"))
        messages = receiver.wait_for(20)
        broker.ctl("set_vm_memory_high_watermark", "absolute", "1")

        for origin, message in messages[:10]:
            reject(receiver, origin, message)
        receiver.store(messages[10:15])
        until(lambda: "the broker blocks publishing" in caplog.text)
        for origin, message in messages[15:]:
            reject(receiver, origin, message)
        until(lambda: receiver.consumer.unacknowledged == 15)
        assert "low on memory" in caplog.text
        broker.ctl("set_vm_memory_high_watermark", "0.4")

        until(lambda: len(rig.parked()) == 15)
        until(lambda: receiver.consumer.unacknowledged == 0)
        assert len(set(rig.parked())) == 15
        receiver.consumer.close()
        assert rig.left() == 0


def test_a_message_too_large_for_the_broker_delays_no_other(caplog: Any) -> None:
    """For example a summary, larger than any message; it stays unacknowledged."""
    with (
        Broker("narrow", settings={"max_message_size": "100000"}) as broker,
        rabbitmq_rig(broker.url) as rig,
    ):
        rig.publish(b"large", b"first", b"second")
        receiver = Receiver(rig.source().consumer(f"{rig.queue}/000"))
        (origin, large), (_, first), (_, second) = receiver.wait_for(3)
        summary = Message(large.tag, False, large.route, large.properties, b"x" * 100_001)

        reject(receiver, origin, summary)
        reject(receiver, origin, first)
        until(lambda: parked(rig) == 1)
        reject(receiver, origin, second)

        until(lambda: receiver.consumer.unacknowledged == 1)
        assert (
            "the broker accepts at most 100000 bytes; the message stays unacknowledged"
            in caplog.text
        )
        assert [body for body, _ in rig.parked()] == [b"first", b"second"]
        rig.cut()
        receiver.wait_for(4)  # without its connection, the job does not wait for it any more
        receiver.consumer.close()


def parked_by_the_job(rig: RabbitMQRig) -> tuple[Source, threading.Thread]:
    """A source without a consumer that has parked a message, and the thread that did it."""
    source, parked = rig.source(), threading.Event()
    message = Message(0, False, b"", b"", b"{}")
    source.park(Rejected(message, Rejection("bad")), None, parked.set)
    assert parked.wait(20)
    [thread] = [one for one in threading.enumerate() if one.name == f"parking {rig.queue}"]
    return source, thread


def test_the_parking_connection_of_the_job_is_closed_with_it(rig: RabbitMQRig) -> None:
    source, thread = parked_by_the_job(rig)
    source.close()

    assert not thread.is_alive()
    assert [body for body, _ in rig.parked()] == [b"{}"]


def test_a_silent_broker_does_not_hold_up_the_end_of_the_job(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parker, "PATIENCE", 0.1)
    source, thread = parked_by_the_job(rig)
    rig.swallow()
    source.close()

    assert thread.is_alive()
    rig.cut()
    until(lambda: not thread.is_alive())
