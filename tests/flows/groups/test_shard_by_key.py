"""Groups by key, compared with a naive model, and their cost."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.message import Outcomes
from flows.conditions import user_functions
from flows.conditions.conditions import GroupSoFar
from flows.groups.departures import ShardOutput
from flows.groups.rules import Rules, Tumbling
from flows.groups.shard import Shard
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from flows.values.group import FIRST, LAST, Member
from tests.flows.members import FIRST as ORIGIN
from tests.flows.members import SECOND, dropped, duplicates, groups, keyed_shape, member, rejected

KEYS = ['"a"', '"b"', "1"]
SUM = Tally({"sum": Function("sum", "n")}, {"n": 0})


class Until(NamedTuple):
    """A condition made of a function."""

    test: Any


class NaiveGroups:
    """Every rule in plain code, one message at a time, with a search through all groups."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.open: dict[tuple[str, int], dict[str, Any]] = {}
        self.out: list[tuple[str, str, list[int]]] = []

    def pass_time(self, now: float) -> None:
        while True:
            due = [
                (at, order, self._opened(place), place, reason)
                for place, group in self.open.items()
                for order, reason, at in self._ends(place, group)
                if at <= now
            ]
            if not due:
                return
            _, _, _, place, reason = min(due)
            self._complete(place, reason)

    def add(self, one: Member, now: float) -> None:
        assert one.key
        every = self.rules.tumbling.every if self.rules.tumbling else None
        place = one.key, int(now // every) if every else 0
        if place in self.open and one.marks & FIRST:
            self._complete(place, "first")
        group = self.open.setdefault(place, {"tags": [], "bytes": 0, "opened": now, "size": None})
        group["tags"].append(one.message.tag)
        group["bytes"] += len(one.message.body)
        group["last"] = now
        if one.size is not None:
            group["size"] = one.size
        count, rules = len(group["tags"]), self.rules
        for reason, met in (
            ("last", one.marks & LAST),
            ("until", rules.until and sum(group["tags"]) % 5 == 0),
            ("size", group["size"] and count >= group["size"]),
            ("count", rules.count and count >= rules.count),
            ("bytes", rules.bytes and group["bytes"] >= rules.bytes),
        ):
            if met:
                self._complete(place, reason)
                return

    def _ends(
        self, place: tuple[str, int], group: dict[str, Any]
    ) -> Iterator[tuple[int, str, float]]:
        rules = self.rules
        if rules.time:
            yield 0, "time", group["opened"] + rules.time
        if rules.idle:
            yield 1, "idle", group["last"] + rules.idle
        if rules.tumbling:
            yield 2, "window", (place[1] + 1) * rules.tumbling.every

    def _opened(self, place: tuple[str, int]) -> float:
        return list(self.open).index(place)

    def _complete(self, place: tuple[str, int], reason: str) -> None:
        self.out.append((place[0], reason, self.open.pop(place)["tags"]))


@given(
    rules=st.builds(
        Rules,
        count=st.none() | st.integers(1, 5),
        bytes=st.none() | st.integers(1, 60),
        time=st.sampled_from([None, 1.0, 3.0]),
        idle=st.sampled_from([None, 0.5, 1.0]),
        until=st.none() | st.just(Until(lambda _, group: group.results[0] % 5 == 0)),
        until_tally=st.just(SUM),
        tumbling=st.none() | st.just(Tumbling(2.0)),
        recognise=st.booleans(),
    ),
    steps=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            st.lists(
                st.tuples(
                    st.sampled_from(KEYS),
                    st.sampled_from([0, 0, 0, FIRST, LAST, FIRST | LAST]),
                    st.none() | st.integers(1, 4),
                ),
                max_size=6,
            ),
        ),
        max_size=12,
    ),
)
def test_groups_are_those_of_the_naive_model(
    rules: Rules, steps: list[tuple[float, list[tuple[str, int, int | None]]]]
) -> None:
    """For any batches, and whether or not timers fire in between."""
    now, tag = 0.0, 0
    shard, model, out = Shard(rules), NaiveGroups(rules), list[ShardOutput]()
    for pause, messages in steps:
        now += pause
        model.pass_time(now)
        batch = []
        for key, marks, size in messages:
            tag += 1
            batch.append(member(tag, key, marks=marks, size=size, values=(tag,)))
            model.add(batch[-1], now)
        out += shard.add(batch, now)

    # At one moment, the model and the shard complete due groups in different orders.
    assert sorted(keyed_shape(out)) == sorted(model.out)
    assert shard.open_groups == len(model.open)
    assert shard.open_members == sum(len(group["tags"]) for group in model.open.values())


def test_a_message_whose_condition_fails_is_rejected_and_the_group_stays_open() -> None:
    """A user function may raise: that message belongs to no group."""

    def test(values: Any, group: GroupSoFar) -> bool:
        if values == ("bad",):
            raise user_functions.Failed("is_complete: ValueError: bad")
        return group.count == 2

    shard = Shard(Rules(until=Until(test)))

    out = shard.add([member(n, '"a"', values=(v,)) for n, v in ((1, "bad"), (2, ""))], 0.0)
    assert rejected(out) == [(1, 'condition_failed: is_complete: ValueError: bad, key "a"')]
    out = shard.add([member(n, '"a"', values=(v,)) for n, v in ((3, "bad"), (4, ""))], 0.0)

    assert rejected(out) == [(3, 'condition_failed: is_complete: ValueError: bad, key "a"')]
    assert keyed_shape([one for one in out if not isinstance(one, Outcomes)]) == [
        ('"a"', "until", [2, 4])
    ]


def test_a_condition_on_the_group_includes_the_newest_message() -> None:
    seen: list[GroupSoFar] = []
    shard = Shard(Rules(until=Until(lambda _, group: seen.append(group)), until_tally=SUM))

    shard.add([member(1, '"a"', values=(5,), length=10)], 1.0)
    shard.add([member(2, '"a"', values=(7,), length=20)], 4.0)

    assert seen == [GroupSoFar('"a"', 1, 10, 0.0, (5,)), GroupSoFar('"a"', 2, 30, 3.0, (12,))]


def test_a_long_key_is_cut_in_a_reason() -> None:
    """A reason is sent in a header."""
    shard = Shard(Rules(time=1.0, incomplete="park"))
    shard.add([member(1, '"' + "k" * 5000 + '"')], 0.0)

    [(_, reason)] = rejected(shard.complete_due(1.0))

    assert reason == 'incomplete: time, key "' + "k" * 199


def test_documents_of_a_split_message_are_distinguished() -> None:
    """They have the id of their message in common; each is recognised by its number, too."""
    rules = Rules(count=3, recognise=True)
    shard = Shard(rules)
    first = [member(1, '"a"', message_id="m", part=(n, 2)) for n in range(2)]
    again = [replace(one, origin=SECOND) for one in first]
    again = [replace(one, message=replace(one.message, redelivered=True)) for one in again]
    shard.add(first, 0.0)

    assert shard.add(again, 0.0) == []
    shard.purge(ORIGIN)
    [group] = groups(shard.add([member(2, '"a"', origin=SECOND, message_id="n")], 0.0))

    assert [(m.origin, m.part) for m in group.members] == [
        (SECOND, (0, 2)),
        (SECOND, (1, 2)),
        (SECOND, None),
    ]
    again = [replace(one, origin=ORIGIN) for one in again]
    assert duplicates(shard.add(again, 0.0)) == [(1, 1, 0), (1, 1, 1)]


@pytest.mark.parametrize("hold", [True, False])
def test_documents_of_a_split_message_are_settled_separately(hold: bool) -> None:
    """Also if only a summary of them is left, or nothing."""
    rules = Rules(count=2, time=1.0, tally=SUM, hold=hold, incomplete="drop", recognise=True)
    shard = Shard(rules)
    whole, part = member(1, '"a"', values=(1,)), member(2, '"a"', values=(2,), part=(0, 3))

    [group] = groups(shard.add([whole, part], 0.0))
    assert group.summary
    assert [*group.summary.tags[ORIGIN]] == [1]
    assert group.summary.parts == {ORIGIN: [(2, 0, 3)]}
    assert group.summary.count == 2

    shard.add([replace(part, part=(1, 3))], 0.0)
    [outcomes] = shard.complete_due(1.0)
    assert isinstance(outcomes, Outcomes)
    assert dropped([outcomes]) == []
    assert [(p.tag, p.position, p.documents, p.dropped) for p in outcomes.parts] == [
        (2, 1, 3, True)
    ]


def test_outcomes_leave_a_shard_together() -> None:
    """One value for each origin, since a batch travels between processes."""
    shard = Shard(Rules(time=1.0, incomplete="park"))
    for tag in range(1, 50):
        origin = ORIGIN if tag % 2 else SECOND
        shard.add([member(tag, f'"{tag}"', origin=origin)], 0.0)

    out = shard.complete_due(1.0)

    assert len(out) == 2
    assert sorted(tag for tag, _ in rejected(out)) == list(range(1, 50))


def opened(count: int, rules: Rules) -> Shard:
    """A shard with so many groups of one message; half of the opened groups have left."""
    shard = Shard(rules)
    for start in range(0, 2 * count, 100):
        tags = range(start + 1, start + 101)
        now = start / count
        shard.add([member(tag, f'"{tag}"', marks=LAST * (tag % 2)) for tag in tags], now)
    assert shard.open_groups == count
    return shard


def seconds_of(shard: Shard, now: float) -> float:
    """The cost of an activation: the minimum of several."""
    seconds = []
    for number in range(200):
        begin = time.perf_counter()
        shard.complete_due(now)
        shard.add([member(number + 1, '"one"', marks=LAST)], now)
        assert shard.due_at is None or shard.due_at > now
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


@pytest.mark.parametrize(
    "rules",
    [
        {"time": 900.0},
        {"time": 900.0, "idle": 500.0, "max_groups": 10_000_000},
        {"tumbling": Tumbling(1000.0, by_event=False)},
        {"tumbling": Tumbling(1000.0, by_event=True), "partitions": ["q/000"]},
    ],
    ids=["time", "idle", "arrival", "event"],
)
def test_an_activation_costs_the_same_however_many_groups_are_open(rules: dict[str, Any]) -> None:
    """A search through all groups would take fifty times as long."""
    few, many = opened(100, Rules(**rules)), opened(5_000, Rules(**rules))

    assert seconds_of(many, 10.0) < 10 * seconds_of(few, 10.0)


@pytest.mark.parametrize("reduced", [False, True])
def test_a_group_of_one_message_takes_a_kilobyte_at_most(reduced: bool) -> None:
    """With its message of 235 bytes, an id and a key."""
    functions = {name: Function(name, name) for name in ("first", "list", "sum", "max")}
    paths = {name: place for place, name in enumerate(functions)}
    tally = Tally(functions, paths) if reduced else None
    shard = Shard(Rules(time=900.0, recognise=True, tally=tally, hold=not reduced))
    count = 5_000
    gc.collect()
    tracemalloc.start()
    try:
        for start in range(0, count, 500):
            batch = [
                member(
                    tag + 1000,
                    f'"order-{tag}"',
                    length=235,
                    message_id=f"{tag:08x}-0000-4000-8000-000000000000",
                    values=(tag + 1000, f"line {tag}", tag + 1000, tag * 1.5) if reduced else (),
                )
                for tag in range(start, start + 500)
            ]
            shard.add(batch, start * 1e-3)
        del batch
        assert tracemalloc.get_traced_memory()[0] / count <= 1024
    finally:
        tracemalloc.stop()
