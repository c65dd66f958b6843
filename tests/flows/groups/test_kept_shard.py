"""A shard with state: what leaves when, and what the next process continues with."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from connectors.message import Origin, Outcomes, StreamOpened
from flows.groups.kept_group import KeptGroup
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules, Tumbling
from flows.state.commit import Changes, Recovered, Table
from flows.values.group import DISTINCT, FirstRevision, Group, Kept, Progress
from tests.flows.kept_shards import TALLY, alone, commit, kept, recovered, rejected, sent
from tests.flows.members import FIRST, SECOND, THIRD, WITH_KEYS, member


def shard(**rules: Any) -> KeptShard:
    return KeptShard(Rules(**WITH_KEYS, **rules, tally=TALLY, hold=False), 1.0, "t0ken", alone)


def test_messages_are_acknowledged_when_their_commit_is_durable() -> None:
    """Commits are at whole multiples of a second, one at a time."""
    some = shard(time=60.0)
    assert some.add([sent(1), sent(2)], now=10.3) == []
    assert (some.held, some.commit_due_at) == (2, 11.0)
    assert some.commit(10.9) is None

    commit(some, 11.0)
    some.add([sent(3)], now=11.1)
    assert some.commit(99.0) is None

    assert kept(some.durable()) == [1, 2]
    assert some.held == 1
    commit(some, 12.0)
    assert kept(some.durable()) == [3]
    assert some.held == 0


@pytest.mark.parametrize("at", [10.0, 10.08, 10.3, 10.99])
def test_the_commits_of_shards_do_not_stop_the_dataflow_together(at: float) -> None:
    """Each is due within a second of its first message, and 25 ms after that of another shard."""
    due = []
    for turn in range(8):
        some = shard(time=60.0)
        some.recover(recovered(), 10.0, turn=turn)
        some.add([sent(1)], now=at)
        due.append(some.commit_due_at)

    assert all(at < each <= at + 1.0 for each in due)
    assert sorted(each % 1.0 for each in due) == pytest.approx([0.025 * n for n in range(8)])


def test_many_messages_do_not_wait_while_no_other_arrives() -> None:
    """The consumer may be full: nothing arrives before these are acknowledged."""
    some = shard(time=60.0)
    some.add([sent(n) for n in range(1, 100)], now=10.1)
    assert some.commit_due_at == 11.0

    some.add([sent(100)], now=10.2)

    assert 10.2 < some.commit_due_at < 10.3
    commit(some, 10.3)
    assert len(kept(some.durable())) == 100


def test_a_group_leaves_when_its_commit_is_durable() -> None:
    """It does not wait for the next second, and has no message left to settle."""
    some = shard(count=2)
    assert some.add([sent(1), sent(2)], now=10.3) == []

    made = commit(some, 10.3)
    [outcomes, group] = some.durable()

    assert isinstance(outcomes, Outcomes)
    assert isinstance(group, Group)
    assert (group.to_settle, group.completed_by) == (0, "count")
    assert group.kept == Kept(name="t0ken.1")
    assert group.summary is not None
    assert group.summary.values == {"numbers": [1, 2]}
    assert group.summary.name == "t0ken.1"
    assert made.of(Table.GROUPS).rows == ()


def test_the_garbage_collector_searches_no_open_group() -> None:
    """A million of them would stop the dataflow for most of a second."""
    some = shard(time=60.0)
    some.add([sent(1), sent(2)], now=10.3)
    first = commit(some, 11.0)
    some.durable()
    after = shard(time=60.0)
    after.recover(recovered(first), now=12.0)

    for one in (some, after):
        [group] = one.oldest(2)
        tracked = [each for each in (group, *gc.get_referents(group)) if gc.is_tracked(each)]
        assert [each for each in tracked if isinstance(each, KeptGroup | list | tuple)] == []

    some.add([sent(3)], now=13.0)
    [group] = some.oldest(1)
    assert group.summary().values == {"numbers": [1, 2, 3]}


def test_the_next_process_continues_with_open_groups_and_writes_those_that_have_left() -> None:
    some = shard(count=3)
    some.add([sent(1), sent(4, '"b"')], now=10.3)
    first = commit(some, 11.0)
    some.durable()
    some.add([sent(2), sent(3)], now=11.1)
    second = commit(some, 11.1)

    after = shard(count=3)
    [group] = after.recover(recovered(first, second), now=50.0)
    assert isinstance(group, Group)
    assert (group.key, group.number, group.start) == ('"a"', 1, 10.3)
    assert group.kept == Kept(name="t0ken.1", is_again=True)
    assert group.summary is not None
    assert group.summary.values == {"numbers": [1, 2, 3]}
    assert group.summary.name == "t0ken.1"
    assert after.open_groups == 1

    after.add([sent(5, '"b"'), sent(6, '"b"')], now=50.0)
    third = commit(after, 50.0)
    assert [number for number, _ in third.of(Table.LEFT).rows] == [2]
    assert third.of(Table.GROUPS) == Changes(gone=[1, 2])


def test_a_redelivered_message_that_is_counted_is_acknowledged_without_effect() -> None:
    """Before its commit, after it, and in the next process; another message is counted."""
    some = shard(time=60.0)
    some.add([sent(1)], now=10.3)
    some.purge(FIRST)
    some.add([sent(1, origin=SECOND, redelivered=True)], now=10.4)
    first = commit(some, 11.0)
    assert sorted(kept(some.durable())) == [1, 1]

    after = shard(time=60.0)
    after.recover(recovered(first), now=12.0)
    after.add([sent(1, redelivered=True), sent(2, redelivered=True)], now=12.5)
    commit(after, 13.0)

    assert (some.recognised, after.recognised) == (1, 1)
    assert kept(after.durable()) == [1, 2]
    assert [group.count for group in after.oldest(9)] == [2]


def test_equal_messages_without_names_are_all_counted() -> None:
    some = shard(time=60.0)
    some.add([member(1, '"a"', values=(1,))], now=10.0)
    some.add([member(1, '"a"', values=(1,), origin=SECOND, redelivered=True)], now=10.1)

    assert [group.count for group in some.oldest(9)] == [2]


def test_after_a_restart_a_closed_window_stays_closed() -> None:
    rules = {"tumbling": Tumbling(10.0, by_event=True), "partitions": ("q/000",)}
    some = shard(**rules)
    some.add([sent(1, at=5.0)], now=100.0)
    some.note_progress(Progress("q/000", 25.0), now=100.0)
    made = commit(some, 100.0)
    [_, group] = some.durable()
    assert isinstance(group, Group)
    assert group.of_window == FirstRevision([])

    after = shard(**rules)
    after.recover(recovered(made), now=101.0)
    assert after.add([sent(2, at=6.0)], now=101.0) == []
    [late] = rejected(after, 102.0)
    assert late.startswith("late: its window is closed")


def of_stream(offset: int, origin: Origin = FIRST, **fields: Any) -> Any:
    """A message without a name."""
    fields |= {"offset": offset, "values": (offset,), "origin": origin}
    return member(1 + offset, '"a"', **fields)


def test_messages_of_a_stream_are_recognised_by_their_offsets() -> None:
    """After a lost connection, and in the next process; they are acknowledged without effect."""
    some = shard(time=60.0)
    some.open_stream(StreamOpened(FIRST, "s"))
    some.add([of_stream(0), of_stream(1)], now=10.3)
    some.purge(FIRST)
    some.open_stream(StreamOpened(THIRD, "s"))
    some.add([of_stream(0, THIRD), of_stream(1, THIRD), of_stream(2, THIRD)], now=10.4)
    first = commit(some, 11.0)
    assert sorted(kept(some.durable())) == [1, 1, 2, 2, 3]

    after = shard(time=60.0)
    after.recover(recovered(first), now=12.0)
    assert not after.open_stream(StreamOpened(FIRST, "s"))
    after.add([of_stream(2), of_stream(3)], now=12.5)
    commit(after, 13.0)

    assert (some.recognised, after.recognised) == (2, 1)
    assert kept(after.durable()) == [3, 4]
    assert [group.count for group in after.oldest(9)] == [4]


def test_all_messages_of_a_stream_that_was_made_anew_are_counted() -> None:
    some = shard(time=60.0)
    some.open_stream(StreamOpened(FIRST, "s"))
    some.add([of_stream(7)], now=10.3)

    assert some.open_stream(StreamOpened(THIRD, "another"))
    some.add([of_stream(0, THIRD), of_stream(7, THIRD)], now=10.4)

    assert [group.count for group in some.oldest(9)] == [3]


@pytest.mark.parametrize("part", [None, (0, 1)])
def test_a_rejected_message_of_a_stream_is_rejected_again(part: tuple[int, int] | None) -> None:
    """A later one is durable; but it is not known whether this one was parked."""
    rules = {"tumbling": Tumbling(10.0, by_event=True), "partitions": ("q/000",)}
    some = shard(**rules)
    some.open_stream(StreamOpened(FIRST, "s"))
    some.note_progress(Progress("q/000", 25.0), now=100.0)
    some.add([of_stream(1, at=6.0, part=part), of_stream(2, at=26.0)], now=100.0)
    made = commit(some, 101.0)

    after = shard(**rules)
    after.recover(recovered(made), now=102.0)
    after.open_stream(StreamOpened(FIRST, "s"))
    after.add([of_stream(1, at=6.0, part=part), of_stream(2, at=26.0)], now=102.0)

    assert len(rejected(after, 103.0)) == 1
    assert (some.recognised, after.recognised) == (0, 1)


def copy(tag: int, value: str = "=1", own_id: str | None = None, **fields: Any) -> Any:
    """A message with a distinct value, and possibly an id of its own."""
    named: dict[str, Any] = {"message_id": value, "marks": DISTINCT, "own_id": own_id}
    return member(tag, '"a"', values=(tag,), **named, **fields)


def test_a_message_that_was_sent_twice_is_acknowledged_with_its_first_copy() -> None:
    """Before the commit, after it, and in the next process; with an id or without."""
    rules = {"time": 60.0, "distinct_for": 30.0, "max_distinct": 10}
    some = shard(**rules)
    some.add([copy(1), copy(2), copy(3, "=2")], now=10.3)
    first = commit(some, 11.0)
    assert kept(some.durable()) == [1, 2, 3]
    some.add([copy(4, own_id="m4"), copy(5, redelivered=True)], now=11.3)
    second = commit(some, 12.0)
    assert kept(some.durable()) == [4, 5]

    after = shard(**rules)
    after.recover(recovered(first, second), now=20.0)
    assert after.add([copy(6), copy(7, redelivered=True)], now=20.0) == []
    commit(after, 21.0)

    assert kept(after.durable()) == [6, 7]
    assert [group.count for group in after.oldest(9)] == [2]
    assert (some.sent_twice, some.recognised) == (2, 1)
    assert (after.sent_twice, after.recognised) == (1, 1)


def test_a_value_counts_again_when_its_time_is_over_but_not_the_same_message() -> None:
    """A redelivered message with an id is known by it, however long the job did not run."""
    rules = {"time": 600.0, "distinct_for": 30.0, "max_distinct": 10}
    some = shard(**rules)
    some.add([copy(1, own_id="m1")], now=10.3)
    made = commit(some, 11.0)

    after = shard(**rules)
    after.recover(recovered(made), now=100.0)
    after.add([copy(1, own_id="m1", redelivered=True), copy(2, own_id="m2")], now=100.0)

    assert [group.count for group in after.oldest(9)] == [2]
    assert (after.recognised, after.sent_twice) == (1, 0)


def test_a_message_that_is_rejected_leaves_its_value_to_others() -> None:
    """It is late, so it is parked; after a crash it must be parked again."""
    rules = {"tumbling": Tumbling(10.0, by_event=True), "partitions": ("q/000",)}
    some = shard(**rules, distinct_for=30.0, max_distinct=10)
    some.note_progress(Progress("q/000", 25.0), now=100.0)
    some.add([copy(1, at=6.0)], now=100.0)
    some.add([copy(2, at=6.0, redelivered=True)], now=100.0)

    assert len(rejected(some, 101.0)) == 2


def test_too_many_values_are_counted_as_forgotten() -> None:
    some = shard(time=60.0, distinct_for=30.0, max_distinct=2)
    some.add([copy(n, f"={n}") for n in range(1, 5)], now=10.0)

    assert some.forgotten_values == 2


def test_a_closed_key_stays_closed_after_a_restart() -> None:
    """Its commit has the group too, so both are durable, or none is."""
    some = shard(count=1, remember=1)
    some.add([sent(1)], now=10.0)
    first = commit(some, 10.0)
    some.durable()

    after = shard(count=1, remember=1)
    after.recover(recovered(first), now=20.0)
    after.add([sent(2)], now=20.0)
    [late] = rejected(after, 21.0)
    assert late.startswith("late: its key is closed")
    after.add([sent(3, '"b"')], now=20.0)
    second = commit(after, 20.0)
    after.durable()
    assert second.of(Table.CLOSED_KEYS).gone == [1]
    assert after.add([sent(4)], now=21.0) == []


def test_groups_keep_their_names_when_the_file_of_a_shard_is_moved() -> None:
    """To another folder, with another token: else what was written already would be there twice."""
    some = shard(count=2)
    some.recover(Recovered(None, {}), now=0.0)
    some.add([sent(1), sent(2)], now=10.3)
    made = commit(some, 11.0)

    [group] = KeptShard(some._rules, 1.0, "0ther", alone).recover(recovered(made), now=50.0)

    assert isinstance(group, Group)
    assert group.kept == Kept(name="t0ken.1", is_again=True)
