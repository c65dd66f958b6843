"""A flood of rejected messages stays in its queue, and probes are read one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.message import Lost, Message, Origin, Outcomes, Rejected, Rejection
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


def reject(receiver: Receiver, messages: list[tuple[Origin, Message]]) -> None:
    for number, (origin, message) in enumerate(messages):
        rejection = Rejection(f"no field in document '{number}'", 400, "events", str(number))
        receiver.consumer.settle(Outcomes(origin, [], [Rejected(message, rejection)]))


def test_a_flood_is_not_parked(rig: RabbitMQRig, caplog: pytest.LogCaptureFixture) -> None:
    """Parked up to the limit; stored ones are acknowledged; all others are requeued, and stay."""
    rig.publish(*bodies(100))
    dead_letter = RabbitMQDeadLetter.model_validate(
        {"routing_key": rig.parking, "reject_limit": {"rejected": 10, "of": 20}}
    )
    source = RabbitMQ(rig.spec(prefetch=60), dead_letter, workers=1)
    receiver = Receiver(source.consumer(f"{rig.queue}/000"))
    messages = receiver.wait_for(60)
    receiver.store(messages[:5])
    until(lambda: receiver.consumer.unacknowledged >= 60 or receiver.messages()[64:])
    assert source.stopped_because() == []

    reject(receiver, messages[5:55])
    until(lambda: any(isinstance(event, Lost) for event in receiver.take()))

    [why] = source.stopped_because()
    assert "for example: no field in document '10' (status 400, index events, _id 10, " in why
    assert f"{rig.queue}/000: reads nothing for 1 s" in caplog.text
    assert caplog.text.count("a message is rejected and parked: no field in document '0'") == 1
    until(lambda: rig.left() == 100 - 5 - 10)
    assert len(rig.parked()) == 10
    assert receiver.consumer.unacknowledged == 0

    receiver.consumer.drain()
    until(lambda: receiver.take() and receiver.consumer.drained)
    receiver.consumer.close()
    assert rig.left() == 85
    assert len(rig.parked()) == 10
    assert "more messages are rejected and parked: 9 times no field in document" in caplog.text


def test_a_stopped_consumer_continues_when_a_probe_is_stored(
    rig: RabbitMQRig, caplog: pytest.LogCaptureFixture
) -> None:
    """A message at a time, one of them parked each time; then as before."""
    caplog.set_level("INFO")
    rig.publish(*bodies(100))
    dead_letter = RabbitMQDeadLetter.model_validate(
        {"routing_key": rig.parking, "reject_limit": {"rejected": 10, "of": 20}}
    )
    source = RabbitMQ(rig.spec(prefetch=60), dead_letter, workers=1)
    receiver = Receiver(source.consumer(f"{rig.queue}/000"))
    reject(receiver, receiver.wait_for(60))
    until(lambda: any(isinstance(event, Lost) for event in receiver.take()))

    [probe] = receiver.wait_for(61)[60:]
    assert "10" in str(probe[1].body)
    reject(receiver, [probe])
    until(lambda: "the probe is rejected too: reads nothing for 2 s" in caplog.text)
    until(lambda: len(rig.parked()) == 11)
    until(lambda: rig.left() == 89)
    assert source.stopped_because()

    [probe] = receiver.wait_for(62)[61:]
    until(lambda: rig.left() == 88)
    receiver.store([probe])
    until(lambda: "the probe is stored" in caplog.text)
    assert source.stopped_because() == []
    receiver.store(receiver.wait_for(62 + 60)[62:])
    receiver.store(receiver.wait_for(62 + 88)[62:])
    until(lambda: receiver.consumer.unacknowledged == 0)
    receiver.consumer.close()

    assert rig.left() == 0
    assert len(rig.parked()) == 11
