"""A job of several queues: keys meet, each queue is a partition of event time, and none is lost."""

from __future__ import annotations

import json
from typing import Any

from connectors.memory.store import Stored
from connectors.message import Properties
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline

QUEUES = "orders.{0..2}"
BY_EVENT_TIME = {
    "by": "key",
    "window": {"tumbling": {"every": "10s", "event_time": "at", "idle_after": "5s"}},
    "reduce": {"numbers": {"list": "n"}, "from": {"list": "queue"}},
    "on_stop": "requeue",
}


def simulation(aggregate: dict[str, Any], **sink: Any) -> Simulation:
    return Simulation(
        Pipeline.model_validate(
            {
                "version": 1,
                "name": "simulated",
                "source": {"memory": {"name": QUEUES, "format": "json"}},
                "aggregate": aggregate,
                "sink": sink or {"memory": {}},
            }
        )
    )


def publish(some: Simulation, queue: int, n: int, **fields: Any) -> None:
    body = json.dumps({"n": n, "key": "k", **fields}).encode()
    some.queues[f"orders.{queue}"].publish(body, properties=Properties(message_id=str(n)))
    some.run()


def stored(some: Simulation) -> list[dict[str, Any]]:
    return [
        json.loads(event.what.source) for event in some.events if isinstance(event.what, Stored)
    ]


def left(some: Simulation) -> int:
    return sum(len(queue.waiting) + queue.unacknowledged for queue in some.queues.values())


def test_messages_of_a_key_meet_whichever_queue_they_come_from() -> None:
    some = simulation(
        {"by": "key", "window": {"count": 3, "time": "1m"}, "reduce": {"numbers": {"list": "n"}}}
    )

    for queue in range(3):
        publish(some, queue, queue)

    [summary] = stored(some)
    assert summary["numbers"] == [0, 1, 2]
    assert left(some) == 0
    assert [queue.acknowledged for queue in some.queues.values()] != [[], [], []]
    assert all(len(queue.acknowledged) == 1 for queue in some.queues.values())


def test_a_window_waits_for_the_queue_that_is_behind() -> None:
    """What it still has is not late, however far the others have come."""
    some = simulation(BY_EVENT_TIME)
    for queue in range(3):
        publish(some, queue, queue, at=queue)
    publish(some, 0, 10, at=25)
    publish(some, 1, 11, at=26)
    assert stored(some) == []

    publish(some, 2, 3, at=9)
    publish(some, 2, 12, at=27)

    [summary] = stored(some)
    assert summary["numbers"] == [0, 1, 2, 3]
    assert summary["from"] == ["orders.0", "orders.1", "orders.2", "orders.2"]


def test_an_idle_queue_does_not_hold_windows_for_ever() -> None:
    """Neither one that has fallen silent nor one that has never had a message."""
    some = simulation(BY_EVENT_TIME)
    publish(some, 0, 0, at=0)
    publish(some, 1, 1, at=1)
    some.pass_to(4)
    publish(some, 0, 10, at=25)
    assert stored(some) == []

    some.pass_to(7)

    [summary] = stored(some)
    assert summary["numbers"] == [0, 1]


def test_a_document_is_addressed_by_the_queue_of_its_message() -> None:
    some = simulation(
        {"window": {"count": 1}},
        elasticsearch={"url": "http://nowhere", "index": "{queue}-{key}"},
    )

    for queue in (2, 0, 1):
        publish(some, queue, queue)

    where = {document.id: document.index for document in some.store.documents}
    assert where == {"0": "orders.0-k", "1": "orders.1-k", "2": "orders.2-k"}


def test_without_keys_each_queue_fills_windows_of_its_own() -> None:
    some = simulation({"window": {"count": 2}, "reduce": {"numbers": {"list": "n"}}})

    for n in range(6):
        publish(some, n % 3, n)

    assert [document["numbers"] for document in stored(some)] == [[0, 3], [1, 4], [2, 5]]
    assert len({document.id for document in some.store.documents}) == 3


def test_a_crash_gives_every_queue_its_messages_back() -> None:
    some = simulation(BY_EVENT_TIME)
    for queue in range(3):
        publish(some, queue, queue, at=queue)

    some.crash()
    assert [len(queue.waiting) for queue in some.queues.values()] == [1, 1, 1]
    some.restart()
    some.run()
    for queue in range(3):
        publish(some, queue, 10 + queue, at=20)

    [summary] = stored(some)
    assert sorted(summary["numbers"]) == [0, 1, 2]
    assert [len(queue.acknowledged) for queue in some.queues.values()] == [1, 1, 1]
