"""A message that kills the job is parked, and no other message, on real queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Taking
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def rig(rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": "quorum"}) as rig:
        yield rig


def consumer(rig: RabbitMQRig, max_deliveries: int) -> Taking:
    spec = rig.spec(prefetch=1000, max_deliveries=max_deliveries)
    source = RabbitMQ(spec, RabbitMQDeadLetter(routing_key=rig.parking), workers=1)
    return Taking(source.consumer(f"{rig.queue}/000"))


def killed(rig: RabbitMQRig, taking: Taking, done: set[bytes]) -> bool:
    """Store all messages until the poison comes, or is parked and nothing is left."""
    poisoned = False

    def over() -> bool:
        nonlocal poisoned
        new = taking.messages()
        taking.events = []
        for origin, message in new:
            if message.body == b"poison":
                poisoned = True
                break
            done.add(message.body)
            taking.store([(origin, message)])
        return poisoned or bool(rig.parked() and rig.left() == taking.consumer.unacknowledged == 0)

    until(over)
    return poisoned


def test_poison_is_parked_and_no_neighbour(rig: RabbitMQRig) -> None:
    """It kills the job as often as `max_deliveries` allows, and no more."""
    others = [b"%d" % number for number in range(400)]
    rig.publish(*others[:150], b"poison", *others[150:])
    done: set[bytes] = set()
    deaths = 0

    while killed(rig, taking := consumer(rig, max_deliveries=10), done):
        deaths += 1
        assert deaths <= 10
        taking.consumer.close()

    assert rig.parked() == [
        (b"poison", "max_deliveries: delivered 10 times before, and never acknowledged")
    ]
    assert 5 < deaths <= 10, "some deliveries are under way when the job dies"
    assert done == set(others)
    taking.consumer.close()
    assert rig.left() == 0


def test_after_a_crash_other_messages_are_let_in_step_by_step(rig: RabbitMQRig) -> None:
    """One at first, and all after a short time, settled or not."""
    rig.publish(*(b"%d" % number for number in range(300)))
    first = consumer(rig, max_deliveries=10)
    first.wait_for(300)
    first.consumer.close()

    taking = consumer(rig, max_deliveries=10)
    taking.wait_for(1)
    assert taking.consumer.unacknowledged < 300
    taking.wait_for(300)

    assert sorted(taking.bodies(), key=int) == [b"%d" % number for number in range(300)]
    taking.store(taking.messages())
    taking.consumer.close()
    assert rig.left() == 0
    assert rig.parked() == []
