"""A flood of rejected messages stays in its queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.message import Lost, Outcomes, Rejected, Rejection
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter
from tests.contract.source import Taking, bodies
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture(params=["classic", "quorum"])
def rig(request: pytest.FixtureRequest, rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": request.param}) as rig:
        yield rig


def test_a_flood_is_not_parked(rig: RabbitMQRig, caplog: pytest.LogCaptureFixture) -> None:
    """What the limit allows is; what is stored is acknowledged; all else goes back, and stays."""
    rig.publish(*bodies(100))
    dead_letter = RabbitMQDeadLetter.model_validate(
        {"routing_key": rig.parking, "reject_limit": {"rejected": 10, "of": 20}}
    )
    source = RabbitMQ(rig.spec(prefetch=60), dead_letter, workers=1)
    taking = Taking(source.consumer(f"{rig.queue}/000"))
    messages = taking.wait_for(60)
    taking.store(messages[:5])
    until(lambda: taking.consumer.unsettled >= 60 or taking.messages()[64:])
    assert source.stopped_because() == []

    for number, (origin, message) in enumerate(messages[5:55]):
        rejection = Rejection(f"no field in document '{number}'", 400)
        taking.consumer.settle(Outcomes(origin, [], [Rejected(message, rejection)]))
    until(lambda: any(isinstance(event, Lost) for event in taking.take()))

    [why] = source.stopped_because()
    assert "no field in document … (11 times)" in why
    assert "reads nothing until the job is started again" in caplog.text
    until(lambda: rig.left() == 100 - 5 - 10)
    assert len(rig.parked()) == 10
    assert taking.consumer.unsettled == 0

    taking.consumer.drain()
    until(lambda: taking.take() and taking.consumer.drained)
    taking.consumer.close()
    assert rig.left() == 85
    assert len(rig.parked()) == 10
