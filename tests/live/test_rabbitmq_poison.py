"""A message that kills the job is parked, and no other message, on real queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Receiver
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def rig(rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": "quorum"}) as rig:
        yield rig


def consumer(rig: RabbitMQRig, max_deliveries: int) -> Receiver:
    spec = rig.spec(prefetch=1000, max_deliveries=max_deliveries)
    source = RabbitMQ(spec, RabbitMQDeadLetter(routing_key=rig.parking), workers=1)
    return Receiver(source.consumer(f"{rig.queue}/000"))


def killed(rig: RabbitMQRig, receiver: Receiver, done: set[bytes]) -> bool:
    """Store all messages until the poison comes, or is parked and nothing is left."""
    poisoned = False

    def over() -> bool:
        nonlocal poisoned
        new = receiver.messages()
        receiver.events = []
        for origin, message in new:
            if message.body == b"poison":
                poisoned = True
                break
            done.add(message.body)
            receiver.store([(origin, message)])
        return poisoned or bool(
            rig.parked() and rig.left() == receiver.consumer.unacknowledged == 0
        )

    until(over)
    return poisoned


def test_poison_is_parked_and_no_other_message(rig: RabbitMQRig) -> None:
    """It kills the job as often as `max_deliveries` allows, and no more."""
    others = [b"%d" % number for number in range(400)]
    rig.publish(*others[:150], b"poison", *others[150:])
    done: set[bytes] = set()
    deaths = 0

    while killed(rig, receiver := consumer(rig, max_deliveries=10), done):
        deaths += 1
        assert deaths <= 10
        receiver.consumer.close()

    assert rig.parked() == [
        (b"poison", "max_deliveries: delivered 10 times before, and never acknowledged")
    ]
    assert 5 < deaths <= 10, "some deliveries are under way when the job dies"
    assert done == set(others)
    receiver.consumer.close()
    assert rig.left() == 0


def test_after_a_crash_other_messages_are_let_in_step_by_step(rig: RabbitMQRig) -> None:
    """One at first, and all after a short time, settled or not."""
    rig.publish(*(b"%d" % number for number in range(300)))
    first = consumer(rig, max_deliveries=10)
    first.wait_for(300)
    first.consumer.close()

    receiver = consumer(rig, max_deliveries=10)
    receiver.wait_for(1)
    assert receiver.consumer.unacknowledged < 300
    receiver.wait_for(300)

    assert sorted(receiver.bodies(), key=int) == [b"%d" % number for number in range(300)]
    receiver.store(receiver.messages())
    receiver.consumer.close()
    assert rig.left() == 0
    assert rig.parked() == []
