"""Every kind of queue of RabbitMQ, and changes of queues while the job runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import pytest

from connectors.message import Lost
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Receiver, bodies
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@contextmanager
def rig_with(url: str, **arguments: Any) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(url, **arguments) as rig:
        yield rig
        rig.channel.queue_delete(f"{rig.queue}.offset")


def receiver_of(rig: RabbitMQRig, **options: Any) -> Receiver:
    source = RabbitMQ(rig.spec(**options), RabbitMQDeadLetter(routing_key=rig.parking), workers=1)
    return Receiver(source.consumer(source.consumers()[-1]))


STREAM = {"x-queue-type": "stream"}


@pytest.mark.parametrize("declared", [True, False])
def test_a_stream_continues_at_its_offset(rabbitmq_url: str, declared: bool) -> None:
    """No message twice after a drain; the stream itself keeps all messages."""
    options: dict[str, Any] = (
        {"declare": {"arguments": STREAM}}
        if declared
        else {"consume": {"arguments": {"x-stream-offset": "first"}}}
    )
    with rig_with(rabbitmq_url, **STREAM) as rig:
        rig.publish(*bodies(50))
        first = receiver_of(rig, **options)
        first.store(first.wait_for(50))
        first.consumer.close()
        rig.publish(*bodies(30, start=50))

        second = receiver_of(rig, **options)
        second.store(second.wait_for(30))
        second.consumer.close()

        assert first.bodies() == bodies(50)
        assert second.bodies() == bodies(30, start=50)


def test_unsettled_messages_of_a_stream_are_read_again(rabbitmq_url: str) -> None:
    """After a lost connection, and after an end without an outcome; from the oldest one on."""
    with rig_with(rabbitmq_url, **STREAM) as rig:
        rig.publish(*bodies(20))
        receiver = receiver_of(rig, declare={"arguments": STREAM})
        receiver.store(receiver.wait_for(20))
        until(lambda: receiver.consumer.unacknowledged == 0)
        until(lambda: rig.offset() == b"20")
        rig.publish(*bodies(5, start=20))
        receiver.wait_for(25)

        rig.cut()
        again = receiver.wait_for(30)[25:]
        assert [message.body for _, message in again] == bodies(5, start=20)
        receiver.store(again[1:])
        receiver.consumer.close()

        last = receiver_of(rig, declare={"arguments": STREAM})
        last.wait_for(5)
        assert last.bodies() == bodies(5, start=20)
        last.consumer.close()


def test_from_next_on_no_message_is_skipped(rabbitmq_url: str) -> None:
    """Although none was settled when the job ended the first time."""
    options: dict[str, Any] = {"consume": {"arguments": {"x-stream-offset": "next"}}}
    with rig_with(rabbitmq_url, **STREAM) as rig:
        rig.publish(b"before")
        first = receiver_of(rig, **options)

        def delivered() -> bool:
            rig.publish(b"meanwhile")
            return bool(first.messages())

        until(delivered)
        until(lambda: rig.offset() is not None)
        held = first.bodies()
        first.consumer.close()
        rig.publish(b"later")

        second = receiver_of(rig, **options)
        until(lambda: b"later" in second.bodies())

        assert second.bodies()[: len(held)] == held == [b"meanwhile"] * len(held)
        second.consumer.close()


def test_a_priority_queue_delivers_the_most_urgent_first(rabbitmq_url: str) -> None:
    with rig_with(rabbitmq_url, **{"x-max-priority": 5}) as rig:
        for priority in (1, 5, 3):
            properties = pika.BasicProperties(priority=priority)
            rig.publish(b"%d" % priority, properties=properties)
        until(lambda: rig.left() == 3)
        receiver = receiver_of(rig)

        receiver.store(receiver.wait_for(3))

        assert receiver.bodies() == [b"5", b"3", b"1"]
        receiver.consumer.close()
        assert rig.left() == 0


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_single_active_consumer_is_followed_by_the_next(rabbitmq_url: str, kind: str) -> None:
    """The second one gets nothing until the first has ended, and then its unsettled messages."""
    arguments = {"x-queue-type": kind, "x-single-active-consumer": True}
    options: dict[str, Any] = {"declare": {"arguments": arguments}, "prefetch": 1000}
    with rig_with(rabbitmq_url, **arguments) as rig:
        first = receiver_of(rig, **options)
        until(first.take)
        rig.publish(*bodies(200))
        messages = first.wait_for(200)
        second = receiver_of(rig, **options)
        until(second.take)
        rig.publish(b"200")
        first.wait_for(201)
        assert second.bodies() == []

        first.store(messages[:150])
        first.consumer.close()
        second.store(second.wait_for(51))

        assert sorted(second.bodies(), key=int) == bodies(51, start=150)
        second.consumer.close()
        assert rig.left() == 0


def test_consume_arguments_reach_the_broker(rabbitmq_url: str) -> None:
    """The consumer with the higher priority gets all messages while it has room."""
    with rig_with(rabbitmq_url) as rig:
        low = receiver_of(rig, prefetch=50)
        high = receiver_of(rig, prefetch=50, consume={"arguments": {"x-priority": 10}})
        until(lambda: low.take() and high.take())
        until(lambda: rig.consumers() == 2)
        rig.publish(*bodies(20))

        high.wait_for(20)

        assert low.bodies() == []
        low.consumer.close()
        high.consumer.close()


def test_an_exclusive_consumer_waits_until_it_is_alone(rabbitmq_url: str) -> None:
    with rig_with(rabbitmq_url) as rig:
        other = receiver_of(rig)
        until(lambda: rig.consumers() == 1)
        exclusive = receiver_of(rig, consume={"exclusive": True}, prefetch=1000)
        until(lambda: any(isinstance(event, Lost) for event in exclusive.take()))
        other.consumer.close()
        rig.publish(*bodies(200))

        exclusive.store(exclusive.wait_for(200))

        assert exclusive.bodies() == bodies(200)
        exclusive.consumer.close()


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_deleted_queue_is_declared_again(rabbitmq_url: str, kind: str) -> None:
    """Its messages are gone; later ones are consumed, and old outcomes are stale."""
    arguments = {"x-queue-type": kind}
    with rig_with(rabbitmq_url, **arguments) as rig:
        rig.publish(*bodies(10))
        receiver = receiver_of(rig, declare={"arguments": arguments})
        old = receiver.wait_for(10)

        rig.channel.queue_delete(rig.queue)
        until(lambda: any(isinstance(event, Lost) for event in receiver.take()))
        until(lambda: consumers_or_none(rig) == 1)
        rig.publish(*bodies(5, start=10))
        new = receiver.wait_for(15)[10:]
        receiver.store(old + new)
        receiver.consumer.close()

        assert [message.body for _, message in new] == bodies(5, start=10)
        assert rig.left() == 0


def consumers_or_none(rig: RabbitMQRig) -> int | None:
    try:
        return rig.consumers()
    except pika.exceptions.ChannelClosedByBroker:  # it does not exist yet
        rig.reconnect()
        return None


def test_the_delivery_limit_of_a_quorum_queue_drops_messages(rabbitmq_url: str) -> None:
    """Therefore a limit below `max_deliveries` gives a warning; here ours comes first."""
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 3}
    with rig_with(rabbitmq_url, **arguments) as rig:
        rig.publish(b"poison")
        receiver = receiver_of(rig, max_deliveries=2)
        for deliveries in (1, 2):
            receiver.wait_for(deliveries)
            rig.cut()

        [(body, reason)] = until(rig.parked)

        assert body == b"poison"
        assert reason.startswith("max_deliveries: delivered 2 times before")
        receiver.consumer.close()
        assert rig.left() == 0
