"""The consumer timeout of the broker: the job requeues before it, or reconnects after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.message import Lost
from connectors.rabbitmq.source import RabbitMQ
from tests.contract.source import Receiver, bodies
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def broker_with_timeout() -> Iterator[Broker]:
    """Waits five seconds for an acknowledgement, and checks each second, by default each minute."""
    with Broker("impatient", settings={"consumer_timeout": "5000"}) as broker:
        broker.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 1000).")
        yield broker


def receiver_of(rig: RabbitMQRig, **options: object) -> Receiver:
    return Receiver(RabbitMQ(rig.spec(**options), None, workers=1).consumer(f"{rig.queue}/000"))


def stall_and_recover(rig: RabbitMQRig, receiver: Receiver) -> None:
    """One message of ten stays open; the others are settled, and are not redelivered."""
    rig.publish(*bodies(10))
    messages = receiver.wait_for(10)
    receiver.store(messages[1:])
    until(lambda: any(isinstance(event, Lost) for event in receiver.take()))

    again = receiver.wait_for(11)[10:]

    assert [message.body for _, message in again] == [b"0"]
    receiver.store(again)
    receiver.consumer.close()
    assert rig.left() == 0


def test_a_message_that_waits_too_long_is_requeued_in_time(
    rabbitmq_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After a warning; the broker itself would wait for half an hour."""
    with rabbitmq_rig(rabbitmq_url) as rig:
        stall_and_recover(rig, receiver_of(rig, consumer_timeout="3s"))

    assert "at the consumer timeout of 3 s the broker requeues all messages" in caplog.text
    assert "requeued all messages before the consumer timeout of 3 s" in caplog.text


def test_the_job_requeues_before_the_broker_does(
    broker_with_timeout: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """The spec has a second less, since the job checks each second, as this broker does."""
    with rabbitmq_rig(broker_with_timeout.url) as rig:
        stall_and_recover(rig, receiver_of(rig, consumer_timeout="4s"))

    assert "PRECONDITION_FAILED" not in caplog.text


def test_a_timeout_that_the_spec_does_not_name_is_survived(
    broker_with_timeout: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker closes the channel; the job reconnects, and no message is lost."""
    with rabbitmq_rig(broker_with_timeout.url) as rig:
        stall_and_recover(rig, receiver_of(rig))

    assert "PRECONDITION_FAILED" in caplog.text
