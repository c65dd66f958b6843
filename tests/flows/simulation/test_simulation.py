"""A simulated job does what the real one does, and faults happen when they are scheduled."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.memory.delivery import Settled
from connectors.memory.request import InjectedAnswer
from connectors.memory.store import Stored
from connectors.message import Properties
from flows.simulation.simulation import Left, Simulation
from flows.spec import Pipeline
from flows.values.group import Group

OPEN = {"count": 3, "time": "1m"}


def simulation(**given: Any) -> Simulation:
    aggregate = {"window": OPEN, **given.pop("aggregate", {})}
    return Simulation(
        Pipeline.model_validate(
            {
                "version": 1,
                "name": "simulated",
                "source": {"memory": {"name": "queue", "format": "json"}},
                "aggregate": aggregate,
                "sink": {"memory": {}},
                **given,
            }
        )
    )


def publish(some: Simulation, *numbers: int) -> None:
    for number in numbers:
        some.queue.publish(b'{"n":%d}' % number, properties=Properties(message_id=str(number)))
    some.run()


def stored(some: Simulation) -> list[tuple[float, int]]:
    """The numbers, and the time at which each was stored."""
    return [(at, n) for at, what, n in happened(some) if isinstance(what, Stored)]


def acknowledged(some: Simulation) -> list[tuple[float, int]]:
    settled = [(at, what, n) for at, what, n in happened(some) if isinstance(what, Settled)]
    return [(at, n) for at, what, n in settled if what.how == "stored"]


def happened(some: Simulation) -> Iterator[tuple[float, Stored | Settled, int]]:
    for at, what in some.events:
        if isinstance(what, Stored):
            yield round(at, 3), what, json.loads(what.source)["n"]
        elif isinstance(what, Settled):
            yield round(at, 3), what, json.loads(what.body)["n"]


def test_a_day_takes_milliseconds() -> None:
    some = simulation(aggregate={"window": {"time": "1s"}})
    began = time.monotonic()
    for hour in range(24):
        some.pass_to(3600.0 * hour)
        publish(some, hour)
    some.pass_to(24 * 3600.0)

    assert [at for at, _ in acknowledged(some)] == [3600.0 * hour + 1 for hour in range(24)]
    assert time.monotonic() - began < 5


def test_groups_are_recorded_with_the_rule_that_completed_them() -> None:
    some = simulation()
    publish(some, 1, 2, 3, 4)
    some.pass_to(60.0)

    groups = [(at, what.value) for at, what in some.events if isinstance(what, Left)]
    assert [
        (at, group.completed_by, len(group.members))
        for at, group in groups
        if isinstance(group, Group)
    ] == [(0.0, "count", 3), (60.0, "time", 1)]


def test_a_throttled_document_is_retried() -> None:
    """And no message is acknowledged before its own document is stored."""
    some = simulation()
    some.store.answer(InjectedAnswer(429, item=3))
    some.store.answer(InjectedAnswer(429, item=1))  # of the request with the retried document
    publish(some, 1, 2, 3)
    some.pass_to(5.0)

    assert stored(some) == acknowledged(some)
    assert stored(some) == [(0.0, 1), (0.0, 2), (0.3, 3)]


def test_a_refused_document_is_parked() -> None:
    some = simulation()
    some.store.answer(InjectedAnswer(400, item=2))
    publish(some, 1, 2, 3)

    [parked] = some.queue.parked
    assert (parked.message.body, parked.rejection.status) == (b'{"n":2}', 400)
    assert sorted(n for _, n in acknowledged(some)) == [1, 3]


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_too_large_is_halved(status: int) -> None:
    """Down to the refused document."""
    some = simulation()
    some.store.answer(InjectedAnswer(status, times=2))  # of all three, and of the first one
    publish(some, 1, 2, 3)

    [parked] = some.queue.parked
    assert (parked.message.body, parked.rejection.status) == (b'{"n":1}', status)
    assert sorted(n for _, n in acknowledged(some)) == [2, 3]


def test_a_request_that_fails_as_a_whole_is_retried_unchanged() -> None:
    some = simulation()
    some.store.answer(InjectedAnswer(503, times=2))
    publish(some, 1, 2, 3)
    assert stored(some) == []

    some.pass_to(1.0)

    assert stored(some) == [(0.3, n) for n in (1, 2, 3)]
    assert acknowledged(some) == stored(some)


def test_a_store_that_is_down_is_waited_for() -> None:
    some = simulation()
    some.go_down(10.0)
    publish(some, 1, 2, 3)
    some.pass_to(9.9)
    assert acknowledged(some) == []
    assert some.queue.unacknowledged == 3

    some.pass_to(20.0)

    assert acknowledged(some) == [(10.0, 1), (10.0, 2), (10.0, 3)]


def test_a_fault_happens_at_the_scheduled_moment() -> None:
    """Here a crash between two messages: the open one is redelivered, and stored once."""
    some = simulation()
    some.at(5.0, some.crash)
    some.at(7.0, some.restart)
    publish(some, 1, 2)
    some.pass_to(6.0)
    assert some.ended
    assert [delivery.redelivered for delivery in some.queue.waiting] == [True, True]
    publish(some, 3)

    some.pass_to(10.0)

    assert acknowledged(some) == [(7.0, 1), (7.0, 2), (7.0, 3)]


def test_a_lost_connection_requeues_open_messages() -> None:
    some = simulation()
    publish(some, 1, 2)
    some.pass_to(50.0)
    some.cut()
    some.run()
    some.pass_to(100.0)
    assert stored(some) == []  # its age begins at its redelivery

    some.pass_to(110.0)

    assert acknowledged(some) == [(110.0, 1), (110.0, 2)]


def test_a_signal_completes_open_groups() -> None:
    some = simulation()
    publish(some, 1, 2)
    some.complete()
    some.run()

    assert acknowledged(some) == [(0.0, 1), (0.0, 2)]
    assert not some.ended


def test_a_drain_writes_open_windows_and_ends() -> None:
    some = simulation()
    publish(some, 1, 2)
    some.drain()
    some.run()
    publish(some, 3)

    assert acknowledged(some) == [(0.0, 1), (0.0, 2)]
    assert some.ended
    assert [delivery.redelivered for delivery in some.queue.waiting] == [False]


def test_a_drain_waits_for_the_store_for_a_limited_time() -> None:
    """Messages that are not stored in time are requeued."""
    some = simulation(drain_timeout="20s")
    some.go_down(3600.0)
    publish(some, 1, 2)
    some.drain()
    some.pass_to(19.0)
    assert not some.ended
    assert some.queue.unacknowledged == 2

    some.pass_to(20.0)

    assert some.ended
    assert [delivery.redelivered for delivery in some.queue.waiting] == [True, True]
    assert acknowledged(some) == []


def test_messages_are_read_and_addressed_as_in_the_spec() -> None:
    """So a dry run tests the pipeline as it is."""
    some = Simulation(
        Pipeline.model_validate(
            {
                "version": 1,
                "name": "orders",
                "source": {
                    "rabbitmq": {"url": "amqp://broker", "queue": "orders", "format": "ndjson"}
                },
                "aggregate": {"window": {"count": 2}},
                "sink": {
                    "elasticsearch": {
                        "url": "http://elastic:9200",
                        "index": "orders-{@timestamp:%Y}",
                        "id": {"field": "n"},
                    }
                },
            }
        )
    )
    lines = [{"n": 1, "@timestamp": "2026-01-02"}, {"n": 2, "@timestamp": "2025-01-02"}]
    some.queue.publish(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    some.run()

    documents = [(one.index, one.id) for one in some.store.documents]
    assert documents == [("orders-2026", "1"), ("orders-2025", "2")]
    assert len(some.queue.acknowledged) == 1
