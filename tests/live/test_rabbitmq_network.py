"""Connections that break unnoticed, and slow ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.message import Lost, Outcomes, Rejected, Rejection
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Receiver, bodies
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture(params=["classic", "quorum"])
def rig(request: pytest.FixtureRequest, rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": request.param}) as rig:
        yield rig


def receiver_of(rig: RabbitMQRig, prefetch: int = 1000) -> Receiver:
    """With a heartbeat each second: pika gives up five seconds later."""
    spec = rig.spec(url=f"{rig.url}?heartbeat=1", prefetch=prefetch)
    source = RabbitMQ(spec, RabbitMQDeadLetter(routing_key=rig.parking), workers=1)
    return Receiver(source.consumer(f"{rig.queue}/000"))


def lost(receiver: Receiver) -> bool:
    return any(isinstance(event, Lost) for event in receiver.take())


def test_a_connection_that_broke_unnoticed_is_detected(rig: RabbitMQRig) -> None:
    """By heartbeats; messages whose acknowledgements were lost are redelivered, and no others."""
    rig.publish(*bodies(30))
    receiver = receiver_of(rig, prefetch=20)
    messages = receiver.wait_for(20)
    receiver.store(messages[:10])
    receiver.wait_for(30)  # so the broker has received these ten acknowledgements

    rig.swallow()
    receiver.store(messages[10:15])
    until(lambda: lost(receiver))
    again = receiver.wait_for(50)[30:]

    assert sorted((message.body for _, message in again), key=int) == bodies(20, start=10)
    receiver.store(again)
    receiver.consumer.close()
    assert rig.left() == 0


def test_a_lost_parked_copy_is_published_again(rig: RabbitMQRig) -> None:
    """On the next connection; until it is confirmed, its message stays unacknowledged."""
    rig.publish(b"first", b"second", b"third")
    receiver = receiver_of(rig, prefetch=2)
    (origin, first), (_, second) = receiver.wait_for(2)
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(first, Rejection("bad"))]))
    receiver.wait_for(3)  # so the broker has received the first one

    rig.swallow()
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(second, Rejection("bad"))]))
    until(lambda: lost(receiver))
    (origin, again), (_, third) = receiver.wait_for(5)[3:]
    assert (again.body, third.body) == (b"second", b"third")
    receiver.consumer.settle(Outcomes(origin, [third.tag], [Rejected(again, Rejection("bad"))]))

    until(lambda: (b"second", "bad") in rig.parked())
    receiver.consumer.close()
    assert rig.left() == 0
    assert rig.parked().count((b"second", "bad")) == 1


def test_a_slow_connection_is_kept(rig: RabbitMQRig) -> None:
    """Unless it is slower than the heartbeat; it loses nothing, and nothing is redelivered."""
    rig.slow(0.1)
    rig.publish(*(b"x" * 100_000 for _ in range(40)))
    receiver = receiver_of(rig)

    receiver.store(receiver.wait_for(40))
    until(lambda: receiver.consumer.unacknowledged == 0)

    assert not lost(receiver)
    receiver.consumer.close()
    assert rig.left() == 0
