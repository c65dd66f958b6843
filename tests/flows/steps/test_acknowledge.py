"""Which outcomes the step passes to a consumer."""

from __future__ import annotations

from connectors.message import Lost, Message, Outcomes, PartOutcome, Rejected, Rejection
from tests.flows.memory_job import make_job, pipeline


def test_outcomes_of_a_lost_connection_are_counted_and_not_settled() -> None:
    """Before and after the loss is known: the broker redelivers the messages."""
    job = make_job(pipeline("stale"))
    source = job.deliveries().build_part("source", "stale/000", None)
    step = job.acknowledge().build_part("acknowledge", "stale/000", None)
    consumer = job.source.consumer("stale/000")
    [opened] = source.next_batch()
    rejected = Rejected(Message(4, False, b"", b"", b"{}"), Rejection("bad"), [5])
    parts = [PartOutcome(3, 0, 1)]
    stale = Outcomes(opened.origin, [1], [rejected], [2], parts)  # type: ignore[union-attr]
    assert not consumer.is_stale(stale.origin)

    consumer.lose()  # type: ignore[attr-defined]
    step.write_batch([stale])
    [lost] = source.next_batch()
    step.write_batch([stale])

    assert isinstance(lost, Lost)
    account = job.accounts.of_consumer("stale/000")
    assert account.stale == 2 * 5
    assert account.counts == (0, 0, 0, 0, 0, 0)
