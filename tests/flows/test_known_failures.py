"""Failures of similar systems that this job must not have: lost state, duplicates, deadlocks.

In memory, and on Bytewax where the fault would be between the steps.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir

from connectors.memory import sink, source
from connectors.message import Arrived, Properties
from flows.audit.reconcile import Accounts
from flows.groups import remembered
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from flows.spec import Pipeline
from flows.steps.source import Deliveries
from flows.values.stop import Stop
from tests.flows.members import member
from tests.flows.memory_job import pipeline, publish, run
from tests.played import played


def with_prefetch(prefetch: int, spec: Pipeline) -> Pipeline:
    assert spec.source.memory
    memory = spec.source.memory.model_copy(update={"prefetch": prefetch})
    return spec.model_copy(update={"source": spec.source.model_copy(update={"memory": memory})})


def test_a_window_as_large_as_the_prefetch_completes() -> None:
    """Each full one, although it needs all messages that the broker may deliver."""
    queue = source.queue("whole")
    publish(queue, 3000)
    spec = with_prefetch(1000, pipeline("whole", window={"count": 1000, "time": "20m"}))

    run(spec, lambda: len(queue.acknowledged) == 3000)

    assert sink.store("whole").windows == [1000, 1000, 1000]


def test_all_arrived_messages_are_handed_over_at_once() -> None:
    """Bytewax may poll again much later, so nothing may be left for the next poll."""
    queue = source.queue("at-once")
    publish(queue, 5000)
    memory = with_prefetch(5000, pipeline("at-once")).source.memory
    assert memory
    partition = Deliveries(source.MemoryQueueSource(memory, 1), Stop(), Accounts()).build_part(
        "source", "at-once/000", None
    )

    *_, arrived = partition.next_batch()

    assert isinstance(arrived, Arrived)
    assert len(arrived.messages) == 5000


@pytest.mark.parametrize("aggregate", [{}, {"by": "n", "reduce": {"n": {"sum": "n"}}}])
def test_a_redelivered_window_starts_its_time_again(aggregate: dict[str, Any]) -> None:
    """Only time completes it: the broker delivers fewer messages than its count, and no others."""
    name = f"again-{len(aggregate)}"
    queue, store, cuts = source.queue(name), sink.store(name), [3, 2, 1]
    store.go_down()  # so that none is settled before the connection has been lost three times
    publish(queue, 30)
    window = {"count": 1000, "time": "50ms"}

    def is_cut_and_done() -> bool:
        if cuts and queue.unacknowledged == 30:
            queue.cut()
            cuts.pop()
        elif not cuts:
            store.come_up()
        return len(queue.acknowledged) == 30

    run(with_prefetch(30, pipeline(name, window=window, **aggregate)), is_cut_and_done)

    assert len(store.documents) == 30


NOT_STORED: dict[str, tuple[dict[str, Any], bytes]] = {
    "unreadable": ({}, b"\xff"),
    "refused": ({}, b'{"k":"no","last":true,"is":"poison"}'),
    "no-key": ({}, b"{}"),
    "incomplete": ({"window": {"last": "message.last == true", "time": "1ms"}}, b'{"k":"no"}'),
    "late-parked": ({"remember": 1000}, b'{"k":"a","last":true}'),
    "late-dropped": ({"remember": 1000, "late": "drop"}, b'{"k":"a","last":true}'),
    "command": ({}, b'{"k":"no"}'),
}
"""The `aggregate` of the spec, and the body."""


@pytest.mark.parametrize("what", NOT_STORED)
def test_messages_that_are_not_stored_make_room_too(what: str) -> None:
    """Otherwise the broker would deliver a few of them and nothing more."""
    aggregate, body = NOT_STORED[what]
    queue, store = source.queue(what), sink.store(what)
    store.refuse(b"poison", "it is poison")
    headers = {"x-hopper": "complete"} if what == "command" else None
    queue.publish(b'{"k":"a","last":true}')
    queue.publish(*[body] * 30, properties=Properties(headers=headers))
    queue.publish(*[b'{"k":%d,"last":true}' % number for number in range(20)])
    rules = {
        "window": {"last": "message.last == true", "time": "20m"},
        "incomplete": "drop",
        **aggregate,
    }

    run(
        with_prefetch(10, pipeline(what, by="k", **rules)),
        lambda: len(queue.acknowledged) + len(queue.parked) == 51,
    )

    assert len(store.documents) == 21
    assert not queue.waiting


@pytest.mark.parametrize("workers", [1, 3])
def test_sums_are_exact_on_several_workers_and_over_lost_connections(workers: int) -> None:
    """Messages of a key meet, from any worker, and redelivered ones count once."""
    name, cuts = f"sums-{workers}", [1500, 1000, 500]
    queue, store = source.queue(name), sink.store(name)
    expected: dict[int, int] = defaultdict(int)
    for number in range(2000):
        key = 10 * (number // 400) + number % 10  # ten at a time, of 40 messages each
        expected[key] += number
        properties = Properties(message_id=str(number))
        queue.publish(b'{"n":%d,"key":%d}' % (number, key), properties=properties)

    def is_cut_and_done() -> bool:
        if cuts and len(queue.waiting) < cuts[0]:
            queue.cut()
            cuts.pop(0)
        return len(queue.acknowledged) == 2000

    reduce = {"total": {"sum": "n"}, "each": {"count_distinct": "n"}}
    spec = pipeline(name, workers, by="key", window={"count": 40, "time": "20m"}, reduce=reduce)
    run(with_prefetch(450, spec), is_cut_and_done, workers)

    summaries = [json.loads(document.source) for document in store.documents]
    assert sorted((one["key"], one["total"]) for one in summaries) == sorted(expected.items())
    assert {one["each"] for one in summaries} == {40}


def test_a_restart_completes_no_group() -> None:
    """Open messages are neither parked nor written as a part: the group goes on."""
    spec = pipeline(
        "restart",
        by="order",
        incomplete="park",
        window={"count": 4, "time": "1m"},
        reduce={"lines": {"list": "line"}},
    )
    comes_in: list[dict[str, Any]] = [
        {"at": f"10:00:0{line}", "id": f"m{line}", "body": {"order": "a", "line": line}}
        for line in (1, 2, 3, 4)
    ]
    comes_in[3:3] = [{"at": "10:00:03.5", "killed": "kill -9"}]

    [summary] = played(spec, comes_in, until="10:10:00").outcomes

    assert (summary["at"], summary["_source"]["lines"]) == ("10:00:04", [1, 2, 3, 4])


def test_ended_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there were; only the ids of some of the last messages are left."""
    monkeypatch.setattr(remembered, "RECOGNISED", 100)
    shard = Shard(Rules(idle=1.0, recognise=True))

    def after(sessions: range) -> int:
        for number in sessions:
            shard.add(
                [member(number + 1, f'"{number}"', message_id=str(number))], now=number * 0.01
            )
        shard.complete_due(now=sessions.stop * 0.01 + 1)
        gc.collect()
        # Other threads of this process, such as those of earlier tests, allocate elsewhere.
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/flows/*")])
        return sum(trace.size for trace in ours.traces)

    tracemalloc.start()
    try:
        grown = -after(range(1500)) + after(range(1500, 3000))
    finally:
        tracemalloc.stop()

    assert shard.open_groups == 0
    assert shard.due_at is None
    assert grown < 10 * 1500, "that is ten bytes for each session"


def test_recovery_of_bytewax_may_be_switched_on(tmp_path: Path) -> None:
    """A job with `-r` does the same as without: only the broker remembers."""
    init_db_dir(tmp_path, 1)  # type: ignore[no-untyped-call]
    queue, store = source.queue("recover"), sink.store("recover")
    spec = pipeline("recover", window={"count": 100, "time": "20m"}, on_stop="requeue")
    for done in (100, 200):
        publish(queue, 130 if done == 100 else 70)
        run(
            spec,
            lambda done=done: len(queue.acknowledged) == done,  # type: ignore[misc]
            recovery_config=RecoveryConfig(tmp_path),  # type: ignore[no-untyped-call]
            epoch_interval=timedelta(milliseconds=1),
        )

    assert store.windows == [100, 100]
    assert len(queue.acknowledged) == 200
    assert not queue.waiting
