"""Messages that were sent twice count once, and are acknowledged when the first copy is stored."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from connectors.message import Properties
from flows.groups.distinct import DistinctValues
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline

_names = itertools.count()
NAMED = {"by": "property.message_id", "for": "1m"}
BY_FIELD = {"by": "id", "for": "1m"}


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


class DistinctJob:
    """A job with distinct values; its simulated clock begins at zero."""

    def __init__(self, source: dict[str, Any] | None = None, **aggregate: Any) -> None:
        name = f"distinct-{next(_names)}"
        rules = {"distinct": NAMED, "window": {"count": 3, "time": "10s"}, **aggregate}
        spec = Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, **(source or {})}},
                "aggregate": rules,
                "sink": {"memory": {"name": name}},
            }
        )
        self.simulation = Simulation(spec)
        self.queue, self.store = self.simulation.queue, self.simulation.store

    def send(self, at: float, *bodies: Any, **properties: Any) -> None:
        """Send these documents at this time; `id` is the `message_id` too."""
        self.simulation.pass_to(at)
        for body in bodies:
            first = body[0] if isinstance(body, list) else body
            id = first.get("id")
            named = {"message_id": id if isinstance(id, str) else None, **properties}
            self.queue.publish(json.dumps(body).encode(), properties=Properties(**named))
        self.simulation.run()

    def pass_to(self, at: float) -> None:
        self.simulation.pass_to(at)

    @property
    def stored(self) -> list[Any]:
        """Each write, in order."""
        return [json.loads(one.source) for one in self.store.written]

    @property
    def acknowledged(self) -> int:
        return len(self.queue.acknowledged)

    @property
    def parked(self) -> list[str]:
        return [one.rejection.reason for one in self.queue.parked]


def order(id: str | None, n: int = 1, **fields: Any) -> dict[str, Any]:
    return {"id": id, "n": n, **fields}


SUMS: dict[str, Any] = {"by": "k", "reduce": {"total": {"sum": "n"}}}


@pytest.mark.parametrize("aggregate", [{}, {"by": "k"}, SUMS])
def test_a_duplicate_waits_beside_its_open_first_copy(aggregate: dict[str, Any]) -> None:
    before = counted("hopper_duplicates_total"), counted("hopper_deduplicated_total")
    job = DistinctJob(**aggregate)
    job.send(1, order("a", k=1), order("a", k=1), order("b", k=1))
    assert job.acknowledged == 0
    job.pass_to(11)

    assert job.acknowledged == 3
    if "reduce" in aggregate:
        [summary] = job.stored
        assert (summary["count"], summary["total"]) == (2, 2)
    else:
        assert job.stored == [order("a", k=1), order("b", k=1)]
    after = counted("hopper_duplicates_total"), counted("hopper_deduplicated_total")
    assert after == (before[0] + 1, before[1])


def test_a_duplicate_of_a_document_in_flight_shares_its_outcome() -> None:
    job = DistinctJob(window={"count": 1, "time": "1s"})
    job.store.go_down()
    job.send(1, order("a"))
    job.send(2, order("a"))
    assert job.acknowledged == 0
    job.store.come_up()
    job.simulation.run()

    assert (job.stored, job.acknowledged) == ([order("a")], 2)


def test_a_duplicate_of_a_stored_message_is_acknowledged_at_once() -> None:
    job = DistinctJob()
    job.send(1, order("a"), order("b"), order("c"))
    assert job.acknowledged == 3
    job.send(60.9, order("a"))

    assert (len(job.stored), job.acknowledged) == (3, 4)


@pytest.mark.parametrize("aggregate", [{}, {"by": "k"}, SUMS])
def test_after_the_time_it_is_another_message(aggregate: dict[str, Any]) -> None:
    """The time counts from the first copy, and no later one extends it."""
    job = DistinctJob(window={"count": 1, "time": "1s"}, **aggregate)
    for at in (1, 30, 60.9, 61, 62, 120.9):
        job.send(at, order("a", k=1))

    assert job.acknowledged == 6
    assert [document.get("count", 1) for document in job.stored] == [1, 1]


def test_a_message_without_the_value_is_distinct_from_all_others() -> None:
    job = DistinctJob(distinct=BY_FIELD, window={"time": "1s"})
    job.send(1, {"n": 1}, {"n": 1}, {"id": None, "n": 2}, {"id": None, "n": 2})
    job.pass_to(3)

    assert len(job.stored) == 4
    assert job.acknowledged == 4


def test_values_keep_their_types_and_may_have_several_parts() -> None:
    job = DistinctJob(distinct={"by": ["id", "line.no"], "for": "1h"}, window={"time": "1s"})
    one = [{"id": id, "line": {"no": no}} for id in (1, "1") for no in (1, 2)]
    job.send(1, *one, *one, {"id": 1.0, "line.no": 1}, {"id": 1})
    job.pass_to(3)

    assert job.stored == [*one, {"id": 1}]
    assert job.acknowledged == 10


def test_a_message_id_is_no_distinct_value_of_another_message() -> None:
    """Even where the texts are equal."""
    job = DistinctJob(distinct=BY_FIELD, by="k", window={"time": "1s"})
    job.send(1, {"k": 1, "id": 5})
    for name in ("=5=1", "==5=1", "5"):
        job.queue.publish(b'{"k":1}', properties=Properties(message_id=name), redelivered=True)
    job.simulation.run()
    job.pass_to(3)

    assert len(job.stored) == 4


def test_equal_values_of_two_keys_are_two_messages() -> None:
    job = DistinctJob(by="k", window={"time": "2s"})
    job.send(1, order("a", k=1), order("a", k=2), order("a", k=1))
    job.pass_to(3)
    job.send(4, order("a", k=2), order("a", k=3))
    job.pass_to(6)

    assert sorted(document["k"] for document in job.stored) == [1, 2, 3]
    assert job.acknowledged == 5


def test_without_keys_a_duplicate_is_found_from_any_consumer() -> None:
    job = DistinctJob({"consumers": 3, "prefetch": 10}, window={"time": "1s"})
    job.send(1, *(order(f"{n}") for _ in range(4) for n in range(12)))
    job.pass_to(20)

    assert len(job.stored) == 12
    assert job.acknowledged == 48
    groups = job.simulation.job.router.shards
    assert list(groups) == job.simulation.source.consumers()


def test_when_the_first_copy_is_rejected_the_second_is_written_by_itself() -> None:
    """And gets its own reason; a third copy then follows the second."""
    job = DistinctJob(distinct=BY_FIELD, window={"time": "1s"})
    job.store.refuse(b"bad", "it is bad")
    job.send(1, order("a", text="bad"), order("b"))
    job.pass_to(3)
    assert job.parked == ["it is bad"]
    job.send(4, order("a", text="good"))
    assert job.acknowledged == 2
    job.send(5, order("a", text="good"))

    assert job.stored == [order("b"), order("a", text="good")]
    assert (job.parked, job.acknowledged) == (["it is bad"], 3)


def test_copies_that_wait_for_a_rejected_one_follow_the_first_of_them() -> None:
    job = DistinctJob(distinct=BY_FIELD, window={"time": "1s"})
    job.store.refuse(b"bad", "it is bad")
    job.store.go_down()
    job.send(1, order("a", text="bad"))
    for at in (3, 4, 5):
        job.send(at, order("a", text="good"))
    job.send(6, order("b", text="bad"), order("b", text="bad"))
    job.pass_to(8)
    job.store.come_up()
    job.simulation.run()
    job.send(9, order("a", text="good"), order("b", text="bad"))

    assert job.stored == [order("a", text="good")]
    assert job.acknowledged == 4
    assert job.parked == ["it is bad"] * 4
    assert job.queue.unacknowledged == 0


def test_with_a_summary_the_second_copy_is_rejected_like_the_first() -> None:
    """The summary cannot be made of one message; the reason is that of the group."""
    job = DistinctJob(**{**SUMS, "reduce": {"total": {"list": "text"}}}, window={"time": "1s"})
    job.store.refuse(b"bad", "it is bad")
    job.send(1, order("a", k=1, text="bad"))
    job.pass_to(3)
    job.send(4, order("a", k=1, text="good"))

    assert job.parked == ["it is bad"] * 2
    assert job.stored == []


@pytest.mark.parametrize("aggregate", [{}, {"by": "k"}, SUMS])
def test_the_second_copy_takes_the_place_of_one_that_is_lost(aggregate: dict[str, Any]) -> None:
    """The broker redelivers the first one, which is then the duplicate."""
    job = DistinctJob({"consumers": 2, "prefetch": 1}, window={"time": "5s"}, **aggregate)
    job.send(1, order("a", k=1), order("a", k=1))
    job.simulation.cut(job.simulation.source.consumers()[0])
    job.simulation.run()
    assert job.acknowledged == 0
    job.pass_to(20)

    assert len(job.stored) == 1
    assert job.stored[0].get("count", 1) == 1
    assert job.acknowledged == 2
    assert job.queue.unacknowledged == 0


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("aggregate", [{}, {"by": "k"}, SUMS])
def test_a_redelivered_message_is_no_duplicate_of_itself(
    aggregate: dict[str, Any], named: bool
) -> None:
    before = counted("hopper_duplicates_total")
    job = DistinctJob(distinct=BY_FIELD, window={"time": "5s"}, **aggregate)
    name = {} if named else {"message_id": None}
    job.send(1, order("a", k=1), **name)
    job.simulation.cut()
    job.simulation.run()
    job.pass_to(20)
    job.store.go_down()
    job.send(21, order("b", k=1), **name)
    job.pass_to(28)  # its group is in flight
    job.simulation.cut()
    job.simulation.run()
    job.store.come_up()
    job.simulation.run()
    job.pass_to(40)

    assert len(job.stored) == 2
    assert job.acknowledged == 2
    assert counted("hopper_duplicates_total") == before


def test_a_restart_forgets_the_values() -> None:
    job = DistinctJob(window={"count": 1, "time": "1s"})
    job.send(1, order("a"))
    job.simulation.crash()
    job.simulation.restart()
    job.send(2, order("a"))

    assert (len(job.stored), job.acknowledged) == (2, 2)


@pytest.mark.parametrize("late", ["park", "amend", "new", "drop"])
def test_a_late_duplicate_of_a_written_message_is_acknowledged(late: str) -> None:
    tumbling: dict[str, Any] = {"every": "5s", "event_time": "ts"}
    job = DistinctJob(**SUMS, window={"tumbling": tumbling}, late=late, distinct=BY_FIELD)
    job.send(1, order("a", k=1, ts=1), order("b", k=1, ts=6))
    job.send(7, order("a", k=1, ts=1))

    assert job.parked == []
    assert job.acknowledged == 2
    assert [one["count"] for one in job.stored] == [1]


def test_late_copies_of_one_batch_amend_a_window_once() -> None:
    tumbling: dict[str, Any] = {"every": "5s", "event_time": "ts"}
    job = DistinctJob(**SUMS, window={"tumbling": tumbling}, late="amend", distinct=BY_FIELD)
    job.send(1, order("a", k=1, ts=1), order("b", k=1, ts=6))
    job.send(7, order("c", k=1, ts=1), order("c", k=1, ts=1))

    assert [one["count"] for one in job.stored] == [1, 2]
    assert job.acknowledged == 3


def test_a_copy_in_another_window_is_a_duplicate_too() -> None:
    tumbling: dict[str, Any] = {"every": "5s", "event_time": "ts", "lateness": "10s"}
    job = DistinctJob(**SUMS, window={"tumbling": tumbling}, distinct=BY_FIELD)
    job.send(7, order("a", k=1, ts=1), order("a", k=1, ts=6))
    job.pass_to(100)

    assert [one["count"] for one in job.stored] == [1]
    assert job.acknowledged == 2


@pytest.mark.parametrize("policy", ["park", "drop"])
def test_the_value_of_a_message_that_was_not_written_is_free(policy: str) -> None:
    window: dict[str, Any] = {"time": "2s", "count": 2}
    job = DistinctJob(by="k", window=window, incomplete=policy)
    job.send(1, order("a", k=1))
    job.pass_to(4)
    job.send(5, order("a", k=1), order("b", k=1))

    assert job.stored == [order("a", k=1), order("b", k=1)]


def test_groups_by_event_time_find_duplicates() -> None:
    window: dict[str, Any] = {"time": "5s", "event_time": "ts"}
    job = DistinctJob(**SUMS, window=window, distinct={"by": "id", "for": "20s"})
    job.send(1, order("a", k=1, ts=1), order("a", k=1, ts=1), order("b", k=1, ts=2))
    job.send(9, order("c", k=1, ts=9))
    job.send(10, order("a", k=1, ts=1))
    assert [one["count"] for one in job.stored] == [2]
    assert (job.parked, job.acknowledged) == ([], 4)


@pytest.mark.parametrize(("by", "left"), [("id", [1, 2, 3]), ("property.message_id", [1, 2, 2, 3])])
def test_documents_of_a_split_message_are_distinct_by_their_fields(
    by: str, left: list[int]
) -> None:
    """A value of the envelope stands for the whole message, and so for none of its documents."""
    job = DistinctJob(distinct={"by": by, "for": "1m"}, window={"time": "1s"})
    documents = [{"id": 1}, {"id": 2}]
    job.send(1, documents, message_id="x")
    job.send(1, documents, message_id="x")
    job.send(1, [{"id": 2}, {"id": 3}], message_id="y")
    job.pass_to(3)

    assert sorted(one["id"] for one in job.stored) == left
    assert job.acknowledged == 3


def test_a_header_of_a_split_message_stands_for_all_its_documents() -> None:
    job = DistinctJob(distinct={"by": "header.x", "for": "1m"}, window={"time": "1s"})
    for _ in range(2):
        job.send(1, [{"id": 1}, {"id": 2}], headers={"x": "v"}, message_id=None)
    job.pass_to(3)

    assert [one["id"] for one in job.stored] == [1, 2]
    assert job.acknowledged == 2


def test_too_many_values_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    before = counted("hopper_distinct_forgotten_total")
    job = DistinctJob(distinct={**NAMED, "max_values": 2}, window={"time": "1s"})
    with caplog.at_level(logging.WARNING, "hopper.aggregate"):
        for at in range(1, 7):
            job.send(at, order(f"{at}"))
    [record] = caplog.records

    assert "aggregate.distinct.max_values is reached" in record.getMessage()
    assert counted("hopper_distinct_forgotten_total") == before + 4


def test_a_command_without_a_key_completes_the_groups_of_all_values() -> None:
    job = DistinctJob({"consumers": 3}, window={"time": "10m"})
    job.send(1, *(order(f"{n}") for n in range(20)))
    job.queue.publish(b"", properties=Properties(headers={"x-hopper": "complete"}))
    job.simulation.run()

    assert len(job.stored) == 20


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0.0, 1.0, 4.0, 9.0])), max_size=60
    ),
    most=st.integers(1, 6),
)
def test_a_value_is_found_for_its_time_and_within_the_bound(
    steps: list[tuple[int, float]], most: int
) -> None:
    """A model: the newest `most` values, each with the time of its first message."""
    values, model, now = DistinctValues(10.0, most), dict[int, float](), 0.0
    forgotten = 0
    for value, later in steps:
        now += later
        model = {one: at for one, at in model.items() if now < at + 10.0}

        found = values.find(value, now)

        assert (found and found.at) == model.get(value)
        if found is None:
            values.remember(value, None, now)
            model[value] = now
            if len(model) > most:
                forgotten += 1
                del model[next(iter(model))]
            assert len(values) == len(model)
    assert values.forgotten == forgotten
