"""Early summaries of open windows: they move, settle nothing, and never outlive the final one."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest

from connectors.memory.broker import MemoryQueue
from connectors.memory.store import MemoryStore
from connectors.message import Properties
from flows.groups.early import AT_ONCE, EarlyShard
from flows.groups.rules import Rules, Tumbling
from flows.simulation.report import DocumentWritten, GroupCompleted, report
from flows.simulation.simulation import Left, Simulation
from flows.spec import Pipeline
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from flows.values.group import EarlyRevision, Group
from tests.flows.members import FIRST, SECOND, groups, member

_names = itertools.count()


class EarlyJob:
    """Sums by key in windows of ten seconds, with an early summary every two."""

    def __init__(
        self,
        queues: dict[str, MemoryQueue] | None = None,
        store: MemoryStore | None = None,
        window: dict[str, Any] | None = None,
        **aggregate: Any,
    ) -> None:
        name = f"early-{next(_names)}" if queues is None else next(iter(queues))
        rules = {"by": "k", "reduce": {"total": {"sum": "n"}, "numbers": {"list": "n"}}}
        tumbling = {"every": "10s", "emit_every": "2s"}
        spec = Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name}},
                "aggregate": {"window": {"tumbling": tumbling, **(window or {})}}
                | rules
                | aggregate,
                "sink": {"memory": {"name": name}},
            }
        )
        self.simulation = Simulation(spec, queues=queues, store=store)
        self.queue, self.store = self.simulation.queue, self.simulation.store
        self._numbers = itertools.count(1)

    def send(self, at: float, *numbers: int, key: str = "a") -> None:
        """Send messages at this time, in seconds."""
        self.simulation.pass_to(at)
        for number in numbers:
            body = json.dumps({"k": key, "n": number}).encode()
            self.queue.publish(body, properties=Properties(message_id=f"{number}"))
        self.simulation.run()

    def written(self) -> list[tuple[str, int, Any]]:
        """The rule, the count and the total of each summary, in the order of the writes."""
        found = [json.loads(one.source) for one in self.store.written]
        return [(one["completed_by"], one["count"], one["total"]) for one in found]

    def stored(self) -> list[tuple[str, int]]:
        """The rule and the count of each summary that the store has."""
        found = [json.loads(one.source) for one in self.store.documents]
        return [(one["completed_by"], one["count"]) for one in found]

    @property
    def early(self) -> dict[str, int]:
        """The early summaries by what became of them."""
        [write] = [
            one for one in self.simulation.steps.writes.values() if any(_early(one).values())
        ]
        return {name: count for name, count in _early(write).items() if count}


def _early(write: Any) -> dict[str, int]:
    return dict(write._submissions.early)


def test_a_summary_is_written_early_while_it_changes() -> None:
    job = EarlyJob()
    job.send(1, 1, 2)
    job.send(3, 3)
    job.simulation.pass_to(9)  # nothing has changed since 4
    assert job.queue.acknowledged == []
    job.simulation.pass_to(10)

    assert job.written() == [("early", 2, 3), ("early", 3, 6), ("window", 3, 6)]
    assert len(job.store.documents) == 1
    assert len(job.queue.acknowledged) == 3
    assert job.early == {"stored": 2}


def test_an_early_summary_says_that_it_is_early() -> None:
    job = EarlyJob()
    job.send(1, 1)
    job.simulation.pass_to(2)

    [document] = job.store.documents
    assert document.id == '"a"@1970-01-01T00:00:00.000Z'
    source = json.loads(document.source)
    assert source.pop("fingerprint").startswith("early:1:")
    assert source == {
        "key": "a",
        "window_start": "1970-01-01T00:00:00.000Z",
        "window_end": "1970-01-01T00:00:10.000Z",
        "count": 1,
        "completed_by": "early",
        "total": 1,
        "numbers": [1],
    }


def test_after_a_crash_the_final_sum_is_right() -> None:
    job = EarlyJob()
    job.send(1, 1, 2)
    job.simulation.pass_to(3)
    job.simulation.crash()
    job.simulation.restart()
    job.send(4, 3)
    job.simulation.pass_to(10)

    assert job.written()[-1] == ("window", 3, 6)
    assert job.stored() == [("window", 3)]
    assert job.queue.parked == []
    assert len(job.queue.acknowledged) == 3


def test_an_early_summary_never_replaces_the_final_one_of_another_process() -> None:
    """The other process writes a part of the window, and its early summaries are superseded."""
    one = EarlyJob()
    other = EarlyJob(one.simulation.queues, one.store)  # type: ignore[arg-type]
    one.send(1, 1)
    one.simulation.pass_to(10)
    other.simulation.now = 1.0
    other.send(1, 2)
    other.simulation.pass_to(9)

    assert one.stored() == [("window", 1)]
    assert other.early == {"superseded": 1}
    other.simulation.pass_to(10)
    assert one.stored() == [("window", 1), ("window", 1)]
    assert len(one.queue.acknowledged) == 2


def test_the_final_summary_supersedes_an_early_one_that_is_slow() -> None:
    """Only one early summary of a window is in flight, and only the newest one waits."""
    job = EarlyJob()
    job.send(1, 1)
    job.store.go_down()
    for second in (3, 5, 7):
        job.send(second, second)
    job.simulation.pass_to(10.5)
    assert len(job.store.windows) == 2
    assert job.early == {"superseded": 4}

    job.store.come_up()
    job.simulation.run()

    assert job.written() == [("window", 4, 16)]
    assert len(job.queue.acknowledged) == 4


def test_the_newest_early_summary_waits_for_the_one_before() -> None:
    job = EarlyJob()
    job.send(1, 1)
    job.store.go_down()
    job.send(3, 2)
    job.send(5, 3)
    job.simulation.pass_to(7)
    job.store.come_up()
    job.simulation.run()

    assert job.written() == [("early", 1, 1), ("early", 3, 6)]
    assert job.early == {"stored": 2, "superseded": 1}


def test_a_rejected_early_summary_is_logged_and_settles_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = EarlyJob()
    job.store.refuse(b'"early"', "it is early")
    with caplog.at_level(logging.WARNING, "hopper.write"):
        job.send(1, 1)
        job.simulation.pass_to(5)

    assert [record.getMessage() for record in caplog.records] == [
        "early summaries were rejected, the last one with: it is early; their windows are open, "
        "and no message is affected yet"
    ]
    assert job.early == {"rejected": 1}
    job.simulation.pass_to(10)
    assert job.stored() == [("window", 1)]
    assert job.queue.parked == []
    assert len(job.queue.acknowledged) == 1


@pytest.mark.parametrize("window", [{"count": 2}, {"time": "3s"}])
def test_members_that_leave_before_the_end_are_not_counted_twice(window: dict[str, Any]) -> None:
    """They have a document of their own, so the early one of the window is written empty."""
    job = EarlyJob(window=window)
    job.send(1, 1)
    job.simulation.pass_to(3)
    assert job.stored() == [("early", 1)]
    job.send(3.5, 2)
    job.simulation.pass_to(6)
    assert job.stored() == [("early", 0), (next(iter(window)), 2)]

    job.send(7, 3)
    job.simulation.pass_to(20)

    assert sum(count for _, count in job.stored()) == 3
    assert len(job.queue.acknowledged) == 3


def test_a_stop_writes_no_early_summary_beside_its_own() -> None:
    job = EarlyJob(on_stop="write")
    job.send(1, 1)
    job.simulation.pass_to(3)
    job.send(3.5, 2)
    job.simulation.drain()
    job.simulation.run()

    assert job.stored() == [("early", 0), ("stop", 2)]
    assert len(job.queue.acknowledged) == 2


def test_a_stop_does_not_wait_for_early_summaries() -> None:
    job = EarlyJob()
    job.send(1, 1)
    job.store.go_down()
    job.simulation.pass_to(3)
    [write] = [one for one in job.simulation.steps.writes.values() if one.waits]

    assert write.on_eof()[0] == []

    assert not write.waits
    assert job.queue.acknowledged == []


def test_windows_without_a_key_are_written_early_for_each_consumer() -> None:
    job = EarlyJob(by=None, on_stop="requeue")
    job.send(1, 1)
    job.simulation.pass_to(10)

    assert job.written() == [("early", 1, 1), ("window", 1, 1)]
    assert len(job.store.documents) == 1


def test_early_groups_are_no_completed_groups() -> None:
    job = EarlyJob()
    job.send(1, 1)
    job.simulation.pass_to(10)

    left = [one.what.value for one in job.simulation.events if isinstance(one.what, Left)]
    early, final = [one for one in left if isinstance(one, Group)]
    assert (early.is_early, early.to_settle) == (True, 0)
    assert (final.is_early, final.to_settle) == (False, 1)


def test_a_report_shows_the_documents_of_early_summaries_and_no_groups() -> None:
    job = EarlyJob()
    job.send(1, 1)
    job.simulation.pass_to(10)

    happened = report(job.simulation, 0.0).happened
    groups = [one.completed_by for one in happened if isinstance(one, GroupCompleted)]
    documents = [one.source for one in happened if isinstance(one, DocumentWritten)]

    assert groups == ["window"]
    assert [one["completed_by"] for one in documents] == ["early", "window"]


def early_shard() -> EarlyShard:
    tally = Tally({"n": Function("count")}, {})
    return EarlyShard(
        Rules(tumbling=Tumbling(100.0), emit_every=2.0, tally=tally, hold=False, recognise=True)
    )


def test_many_summaries_leave_in_several_steps() -> None:
    shard = early_shard()
    shard.add([member(n, f"{n}") for n in range(AT_ONCE + 5)], 1.0)
    assert shard.due_at == 2.0

    first = groups(shard.complete_due(2.1))
    assert shard.due_at == 2.0
    rest = groups(shard.complete_due(2.1))

    assert (len(first), len(rest)) == (AT_ONCE, 5)
    assert {one.key for one in (*first, *rest)} == {f"{n}" for n in range(AT_ONCE + 5)}
    assert shard.due_at == 100.0


def test_messages_of_a_lost_connection_are_in_no_early_summary() -> None:
    shard = early_shard()
    shard.add([member(1, "a"), member(2, "b")], 1.0)
    shard.add([member(3, "b", origin=SECOND)], 1.0)
    shard.purge(FIRST)

    left = groups(shard.complete_due(2.0))

    assert [(one.key, one.summary and one.summary.count) for one in left] == [("b", 1)]
    assert shard.due_at == 100.0


def test_a_group_whose_messages_are_all_lost_is_forgotten() -> None:
    shard = early_shard()
    shard.add([member(1, "a")], 1.0)
    shard.complete_due(2.0)
    shard.purge(FIRST)
    shard.add([member(2, "a", origin=SECOND)], 3.0)

    [again] = groups(shard.complete_due(4.0))
    [forced, _] = groups(shard.complete(None, 5.0))

    assert again.of_window == EarlyRevision()
    assert forced.of_window == EarlyRevision(is_empty=True)
    assert shard._written == set()
