"""Windows without keys: each rule, and all rules compared with a naive model."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flows.groups.departures import ShardOutput
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from tests.flows.members import FIRST, SECOND, THIRD, groups, member, members, shape


def sliced(**rules: Any) -> Shard:
    """A shard that does not check single messages."""
    made = Rules(plain=True, **rules)
    assert made.sliced
    return Shard(made)


def test_a_window_has_exactly_count_messages() -> None:
    """However many arrive together, each group has `count`, and the rest stays open."""
    shard = sliced(count=3)

    out = shard.add(members(1, 8), now=0.0)

    assert shape(out) == [("count", [1, 2, 3]), ("count", [4, 5, 6])]
    assert shape(shard.stop(0.0)) == [("stop", [7, 8])]


def test_the_message_that_exceeds_the_limit_of_bytes_is_in_the_group() -> None:
    shard = sliced(bytes=25)

    out = shard.add(members(1, 4, size=10), now=0.0)

    assert shape(out) == [("bytes", [1, 2, 3])]


def test_reaching_the_limit_of_bytes_completes_a_group() -> None:
    shard = sliced(bytes=20)

    assert shape(shard.add(members(1, 2, size=10), now=0.0)) == [("bytes", [1, 2])]


def test_one_message_larger_than_the_limit_is_a_group_of_its_own() -> None:
    shard = sliced(count=10, bytes=20)

    assert shape(shard.add([member(1, length=100)], now=0.0)) == [("bytes", [1])]


def test_count_is_named_when_the_same_message_also_exceeds_bytes() -> None:
    shard = sliced(count=2, bytes=20)

    assert shape(shard.add(members(1, 2, size=10), now=0.0)) == [("count", [1, 2])]


def test_age_runs_from_the_first_message() -> None:
    """Later messages do not extend it."""
    shard = sliced(time=1.0)
    shard.add([member(1)], now=5.0)
    shard.add([member(2)], now=5.9)

    assert shard.due_at == 6.0
    assert shape(shard.complete_due(5.99)) == []
    assert shape(shard.complete_due(6.0)) == [("time", [1, 2])]
    assert shard.due_at is None


def test_a_message_at_exactly_the_end_belongs_to_the_next_group() -> None:
    """Even if the timer has not fired yet."""
    shard = sliced(time=1.0)
    shard.add([member(1)], now=0.0)

    assert shape(shard.add([member(2)], now=1.0)) == [("time", [1])]
    assert shard.due_at == 2.0


def test_the_rest_after_a_full_window_has_its_own_age() -> None:
    shard = sliced(count=2, time=1.0)
    shard.add([member(1)], now=0.0)

    shard.add(members(2, 3), now=0.7)

    assert shard.due_at == 1.7


def test_a_lost_connection_removes_its_messages() -> None:
    """They no longer count: the redelivered messages fill the same window again."""
    shard = sliced(count=3, bytes=1000, time=1.0)
    shard.add([member(1), member(2)], now=0.0)

    shard.purge(FIRST)

    assert shard.due_at is None
    out = shard.add([member(tag, origin=THIRD) for tag in (1, 2, 3)], now=0.5)
    assert shape(out) == [("count", [1, 2, 3])]


def test_messages_of_other_connections_stay() -> None:
    shard = sliced(count=3)
    shard.add([member(1), member(1, origin=SECOND)], now=0.0)

    shard.purge(FIRST)

    assert [m.origin for m in groups(shard.stop(0.0))[0].members] == [SECOND]


def test_without_open_groups_nothing_completes() -> None:
    shard = sliced(count=3, time=1.0)

    assert shard.stop(0.0) == []
    assert shard.complete_due(100.0) == []


def naive(rules: Rules, arrivals: list[tuple[float, list[int]]]) -> list[tuple[str, list[int]]]:
    """One message at a time, every rule in plain code; messages are named 1, 2, 3 …."""
    groups: list[tuple[str, list[int]]] = []
    open_: list[tuple[int, int]] = []
    opened_at, name = 0.0, 0
    for now, sizes in arrivals:
        if open_ and rules.time is not None and now >= opened_at + rules.time:
            groups.append(("time", [n for n, _ in open_]))
            open_ = []
        for size in sizes:
            name += 1
            opened_at = now if not open_ else opened_at
            open_.append((name, size))
            full = rules.count is not None and len(open_) >= rules.count
            heavy = rules.bytes is not None and sum(s for _, s in open_) >= rules.bytes
            if full or heavy:
                groups.append(("count" if full else "bytes", [n for n, _ in open_]))
                open_ = []
    return [*groups, ("stop", [n for n, _ in open_])] if open_ else groups


@given(
    rules=st.builds(
        Rules,
        plain=st.booleans(),
        count=st.none() | st.integers(1, 6),
        bytes=st.none() | st.integers(1, 40),
        time=st.none() | st.sampled_from([0.5, 1.0, 3.0]),
    ),
    steps=st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.lists(st.integers(0, 30), max_size=12)),
        max_size=12,
    ),
)
def test_windows_are_those_of_the_naive_model(
    rules: Rules, steps: list[tuple[float, list[int]]]
) -> None:
    """For any batches, and whether or not messages are checked one by one."""
    now, name, arrivals = 0.0, 0, []
    shard = Shard(rules)
    out: list[ShardOutput] = []
    for pause, sizes in steps:
        now += pause
        arrivals.append((now, sizes))
        batch = []
        for size in sizes:
            name += 1
            batch.append(member(name, length=size))
        out += shard.add(batch, now)
    out += shard.stop(now)

    assert shape(out) == naive(rules, arrivals)
