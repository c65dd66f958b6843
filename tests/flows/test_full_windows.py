"""Windows by event time with more messages than a consumer holds have exact sums."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from connectors.memory import sink, source
from connectors.memory.broker import MemoryQueue
from connectors.memory.store import MemoryStore
from connectors.message import Properties
from flows.audit import backpressure
from flows.spec import Pipeline
from tests.flows.memory_job import make_job, run, run_job

START = 1_767_348_000
MINUTES, EACH = 2, 4500
"""Messages a minute: more than the 4000 that a consumer holds at first."""


def spec(name: str, consumers: int = 1, **keys: Any) -> Pipeline:
    """Sums for each minute; a consumer is idle after a tenth of a second."""
    tumbling = {"every": "1m", "event_time": "ts", "lateness": "100ms", "idle_after": "100ms"}
    return Pipeline.model_validate(
        {
            "version": 1,
            "name": name,
            "source": {"memory": {"name": name, "consumers": consumers, **keys}},
            "aggregate": {
                "by": "k",
                "window": {"tumbling": tumbling},
                "reduce": {"total": {"sum": "n"}, "each": {"count_distinct": "n"}},
                "on_stop": "requeue",
            },
            "sink": {"memory": {"name": name}},
        }
    )


def publish(queue: MemoryQueue, each: int) -> None:
    for number in range(MINUTES * each):
        at = START + number // each * 60 + number % each * 60 / each
        body = b'{"k":%d,"ts":%.3f,"n":%d}' % (number % 3, at, number)
        queue.publish(body, properties=Properties(message_id=str(number)))


def sums(store: MemoryStore) -> list[tuple[str, int, float]]:
    found = [json.loads(document.source) for document in store.documents]
    return sorted((one["window_start"], one["key"], one["total"]) for one in found)


def expected(each: int) -> list[tuple[str, int, float]]:
    totals: dict[tuple[str, int], float] = {}
    for number in range(MINUTES * each):
        window = f"2026-01-02T10:{number // each:02d}:00.000Z", number % 3
        totals[window] = totals.get(window, 0) + number
    return sorted((*window, total) for window, total in totals.items())


@pytest.mark.parametrize("consumers", [1, 2])
def test_a_window_larger_than_the_first_prefetch_is_whole(consumers: int) -> None:
    """The full consumer is not idle: it holds more until the window is over."""
    name = f"full-{consumers}"
    queue, store = source.queue(name), sink.store(name)
    publish(queue, EACH)

    run(spec(name, consumers), lambda: len(queue.acknowledged) == MINUTES * EACH)

    assert sums(store) == expected(EACH)
    assert queue.parked == []


def test_a_window_larger_than_the_given_prefetch_is_never_closed_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log names what holds the messages, and all of them are requeued."""
    monkeypatch.setattr(backpressure, "WARN_AFTER", 0.1)
    queue, store = source.queue("given"), sink.store("given")
    job = make_job(spec("given", prefetch=200))
    publish(queue, 500)

    run_job(
        job,
        lambda: bool(job.backpressure.blocked(time.monotonic())) and not queue.acknowledged,
    )

    assert (len(queue.waiting), queue.acknowledged, queue.parked) == (MINUTES * 500, [], [])
    assert store.documents == []


def test_a_large_enough_prefetch_closes_windows_when_the_stream_is_silent() -> None:
    """A consumer with room that gets no message is idle: the clock closes the last windows."""
    queue, store = source.queue("enough"), sink.store("enough")
    publish(queue, 500)

    run(spec("enough", prefetch=700), lambda: len(queue.acknowledged) == MINUTES * 500)

    assert sums(store) == expected(500)
