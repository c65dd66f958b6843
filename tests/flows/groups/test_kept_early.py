"""Early summaries of a shard with state: never ahead of it, and not forgotten by a restart."""

from __future__ import annotations

from typing import Any

from flows.groups.kept_early import KeptEarlyShard
from flows.groups.rules import Rules, Tumbling
from flows.state.commit import Commit
from flows.values.group import FRAGMENT, EarlyRevision, Group
from tests.flows.kept_shards import TALLY, OneShard, alone, commit, kept, recovered, sent
from tests.flows.members import WITH_KEYS


def shard(**rules: Any) -> KeptEarlyShard:
    """Windows of ten seconds by the clock, written early each two."""
    early: dict[str, Any] = {"tumbling": Tumbling(10.0), "emit_every": 2.0}
    made = Rules(**WITH_KEYS, **early, **rules, tally=TALLY, hold=False)
    return KeptEarlyShard(made, 1.0, "t0ken", alone)


def groups(leaving: list[Any]) -> list[Group]:
    return [one for one in leaving if isinstance(one, Group)]


def written_early(some: KeptEarlyShard) -> Commit:
    """Take in a message, and make it and its early summary durable."""
    some.add([sent(1)], now=100.3)
    assert some.complete_due(102.0) == []
    return commit(some, 102.0)


def test_an_early_summary_leaves_when_all_that_it_counts_is_durable() -> None:
    some = shard()
    written_early(some)
    some.add([sent(2)], now=102.1)

    leaving = some.durable()

    [early] = groups(leaving)
    assert kept(leaving) == [1]
    assert (early.of_window, early.kept, early.to_settle) == (EarlyRevision(), None, 0)
    assert early.summary is not None
    assert early.summary.values == {"numbers": [1]}


def test_after_a_restart_open_windows_are_written_early_once() -> None:
    first = written_early(shard())

    after = shard()
    assert after.recover(recovered(first), now=103.0) == []
    assert after.complete_due(104.0) == []
    commit(after, 104.0)

    [early] = groups(after.durable())
    assert early.is_early
    assert after.complete_due(106.0) == []
    assert after.commit(107.0) is None


def test_what_replaces_an_early_summary_by_an_empty_one_survives_a_crash() -> None:
    """Its members leave in a document of their own, perhaps in the next process."""
    first = written_early(shard(count=2))
    after = shard(count=2)
    after.recover(recovered(first), now=103.0)
    after.add([sent(2)], now=103.0)
    second = commit(after, 103.0)

    last = shard(count=2)
    empty, fragment = groups(last.recover(recovered(first, second), now=105.0))

    assert (empty.of_window, fragment.of_window) == (EarlyRevision(is_empty=True), FRAGMENT)
    assert empty.kept is not None
    assert empty.summary is not None
    assert (empty.summary.count, empty.summary.values) == (0, {"numbers": []})


def ordered(**rules: Any) -> OneShard:
    """Windows as above, whose members are sorted, and so on the disk."""
    early: dict[str, Any] = {"tumbling": Tumbling(10.0), "emit_every": 2.0}
    return OneShard(**early, **rules, order=0, tally=TALLY)


def numbers(read: list[Group]) -> list[list[int]]:
    return [one.summary.values["numbers"] for one in read if one.summary is not None]


def test_an_early_summary_has_the_members_that_are_on_the_disk() -> None:
    """Also those that were taken in after it was due, if they are durable when it is read."""
    some = ordered()
    some.take(3, 1, now=100.3)
    assert some.shard.complete_due(102.0) == []
    some.commit()
    some.shard.durable()
    some.take(2, now=102.1)
    some.commit()
    some.shard.durable()

    [early] = read = some.read()

    assert numbers(read) == [[1, 2, 3]]
    assert (early.of_window, early.kept, early.to_settle) == (EarlyRevision(), None, 0)
    assert (some.store.waiting.bytes, some.store.waiting.loaded) == (0, 0)


def test_a_group_that_has_left_is_not_written_early() -> None:
    """Its members are in another document: they must not be in that of the window too."""
    some = ordered(count=3)
    some.take(1, now=100.3)
    some.shard.complete_due(102.0)
    some.commit()
    some.shard.durable()
    waiting = some.shard.next_to_read()
    assert waiting.kept is not None
    some.store.load(waiting.number, waiting.kept)
    some.take(2, 3, now=102.1)
    assert some.read() == []

    empty, whole = some.leaving(also=1)

    assert (empty.of_window, whole.of_window) == (EarlyRevision(is_empty=True), FRAGMENT)
    assert numbers([empty, whole]) == [[], [1, 2, 3]]


def test_early_summaries_that_wait_for_room_are_read_once() -> None:
    some = ordered()
    for number, due_at in ((1, 102.0), (2, 104.0)):
        some.take(number, now=due_at - 1.0)
        some.shard.complete_due(due_at)
        some.commit()
        some.shard.durable()

    assert some.shard.unread == 1
    assert numbers(some.read()) == [[1, 2]]


def test_a_stop_writes_no_early_summary() -> None:
    some = ordered(on_stop="keep")
    some.take(1, now=101.0)
    some.shard.complete_due(102.0)
    some.commit()
    some.shard.durable()
    some.take(2, now=103.0)
    some.shard.complete_due(104.0)

    some.shard.stop(104.0)
    some.commit()
    some.shard.durable()

    assert some.shard.unread == 0
