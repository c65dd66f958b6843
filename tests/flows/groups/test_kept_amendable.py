"""Closed windows of a shard with state: a late message amends its window after a restart too."""

from __future__ import annotations

from typing import Any

from connectors.message import Outcomes
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules, Tumbling
from flows.outcomes.finished import ended
from flows.state.blocks import read_blocks
from flows.state.commit import Commit, Table
from flows.summaries.fingerprint import fingerprint, same_window
from flows.values.group import Earlier, FirstRevision, Group, Progress
from tests.flows.kept_shards import TALLY, OneShard, alone, commit, kept, recovered, sent
from tests.flows.members import WITH_KEYS

RULES: dict[str, Any] = {
    **{"tumbling": Tumbling(10.0, by_event=True), "late": "amend", "amend_for": 60.0},
    **{"partitions": ("q/000",), "tally": TALLY},
}
"""Windows of ten seconds by event time; they can be amended for a minute."""


def shard() -> KeptShard:
    return KeptShard(Rules(**RULES, **WITH_KEYS, hold=False), 1.0, "t0ken", alone)


def one_group(leaving: list[Any]) -> Group:
    [group] = [one for one in leaving if isinstance(one, Group)]
    assert group.summary is not None
    return group


def closed(some: KeptShard) -> Commit:
    """Let the watermark become known, and close the window of one message."""
    some.note_progress(Progress("q/000", 5.0), now=99.0)
    some.add([sent(1, at=6.0)], now=100.0)
    some.note_progress(Progress("q/000", 25.0), now=100.0)
    return commit(some, 100.0)


def after_a_restart(*commits: Commit, now: float) -> KeptShard:
    some = shard()
    some.recover(recovered(*commits), now)
    some.note_progress(Progress("q/000", 25.0), now)
    return some


def test_a_late_message_amends_the_summary_that_an_earlier_process_has_written() -> None:
    """It is acknowledged with the commit that has the new revision, which is written after it."""
    some = after_a_restart(first := closed(shard()), now=110.0)
    assert some.add([sent(2, at=7.0)], now=110.0) == []
    second = commit(some, 110.0)
    leaving = some.durable()

    group = one_group(leaving)
    assert kept(leaving) == [2]
    assert group.summary is not None
    assert group.summary.values == {"numbers": [1, 2]}
    assert (group.completed_by, group.summary.name) == ("late", "t0ken.1")
    assert group.of_window == FirstRevision((), amends=Earlier(1, 1, ()))

    again = shard().recover(recovered(first, second), now=120.0)
    names = [one.summary.name for one in again if isinstance(one, Group) and one.summary]
    assert names == ["t0ken.1", "t0ken.1"]
    assert isinstance(again[1], Group)
    assert again[1].of_window == group.of_window


def test_a_stop_without_a_message_keeps_how_far_windows_are_closed() -> None:
    """So does `hopper state --flush`: it takes no message in, and writes what is open."""
    some = shard()
    some.note_progress(Progress("q/000", 5.0), now=99.0)
    some.add([sent(1, at=6.0), sent(2, at=26.0)], now=100.0)
    some.note_progress(Progress("q/000", 26.0), now=100.0)
    first = commit(some, 100.0)

    flushed = shard()
    flushed.recover(recovered(first), now=105.0)
    assert flushed.stop(105.0) == []  # the open group leaves with the commit
    second = flushed.commit(105.0, last=True)
    assert second is not None

    some = shard()
    some.recover(recovered(first, second), now=110.0)
    assert some.add([sent(3, at=7.0)], now=110.0) == []
    commit(some, 110.0)
    assert one_group(some.durable()).completed_by == "late"


def test_a_redelivered_late_message_is_counted_once() -> None:
    """The state knows by its name whether it is counted: it is not parked as ambiguous."""
    some = after_a_restart(first := closed(shard()), now=110.0)
    some.add([sent(2, at=7.0, redelivered=True)], now=110.0)
    second = commit(some, 110.0)
    after = after_a_restart(first, second, now=120.0)

    after.add([sent(2, at=7.0, redelivered=True)], now=120.0)

    assert after.recognised == 1
    assert commit(after, 121.0).of(Table.LEFT).rows == ()


def test_a_key_without_a_group_in_a_closed_window_gets_one() -> None:
    some = after_a_restart(closed(shard()), now=110.0)
    some.add([sent(2, '"b"', at=17.0)], now=110.0)
    commit(some, 110.0)

    group = one_group(some.durable())

    assert (group.key, group.of_window) == ('"b"', FirstRevision(()))


def test_a_restart_does_not_prolong_the_time_in_which_a_window_is_amended() -> None:
    """It runs from the moment at which the window was closed."""
    some = after_a_restart(closed(shard()), now=159.0)
    some.note_progress(Progress("q/000", 26.0), now=161.0)

    some.add([sent(2, at=7.0)], now=161.0)

    assert commit(some, 162.0).of(Table.CLOSED_WINDOWS).gone == [1]
    [late] = some.durable()
    assert isinstance(late, Outcomes)
    assert late.rejected[0].rejection.reason.startswith("late: its window is closed")


def test_a_fingerprint_of_a_later_revision_is_of_the_same_window() -> None:
    first, later = fingerprint(2, "t0ken.1", ()), fingerprint(3, "t0ken.1", (None,))

    assert same_window(first, later)
    assert same_window(first, first)
    assert not same_window(later, first)
    assert not same_window(first, fingerprint(3, "t0ken.2", ()))
    assert not same_window(first, "something else")


def ordered(before: OneShard | None = None, now: float = 100.0) -> OneShard:
    """The same with members that are sorted, and so on the disk; perhaps after a restart."""
    some = OneShard(None if before is None else before.store, **RULES, order=0)
    some.shard.note_progress(Progress("q/000", 5.0 if before is None else 25.0), now)
    return some


def written(some: OneShard) -> None:
    """Close the window of one message, and write its summary."""
    some.take(2, at=6.0, now=100.0)
    some.shard.note_progress(Progress("q/000", 25.0), 100.0)
    [group] = some.leaving()
    store(some, group)


def store(some: OneShard, group: Group) -> None:
    """The sink has the group."""
    finished = ended(group)
    some.store.forget(finished.number, finished.row)


def test_a_revision_has_the_members_that_were_there_when_it_left() -> None:
    """Two of them wait for the sink, and are read after a restart: each replaces the one before."""
    first = ordered()
    written(first)
    for number in (3, 1):
        first.take(number, at=7.0, now=101.0)
    first.commit()

    after = ordered(first, now=110.0)
    groups = after.read()

    assert [one.summary and one.summary.values for one in groups] == [
        {"numbers": [2, 3]},
        {"numbers": [1, 2, 3]},
    ]
    assert {one.summary and one.summary.name for one in groups} == {"t0ken.7.1"}
    amended = [one.of_window for one in groups]
    assert amended == [
        FirstRevision((), amends=Earlier(1, 1, ())),
        FirstRevision((), amends=Earlier(1, 2, ())),
    ]


def test_a_key_without_a_group_gets_one_with_its_members_on_the_disk() -> None:
    some = ordered()
    written(some)
    some.take(5, 4, key='"b"', at=17.0, now=101.0)

    [group] = some.leaving()

    assert (group.key, group.of_window) == ('"b"', FirstRevision(()))
    assert group.summary is not None
    assert group.summary.values == {"numbers": [4, 5]}


def test_members_of_a_closed_window_go_when_it_is_over_and_no_revision_waits() -> None:
    """A restart does not forget that they must go, nor that a revision needs them."""
    some = ordered()
    written(some)
    some.take(3, at=7.0, now=101.0)
    [revision] = some.leaving()
    assert len(some.store.members) == 1

    some = ordered(some, now=170.0)
    [again] = some.read()
    assert again == revision._replace(kept=again.kept)
    assert some.shard.over == 1
    some.shard.release(some.store.waiting.has)
    assert some.shard.over == 1
    assert some.shard.commit(171.0) is None

    store(some, again)
    some.commit()

    assert (some.shard.over, some.store.members) == (0, {})
    blocks = sorted(some.store.tables[Table.CLOSED_WINDOWS].items())
    assert [row for _, rows in read_blocks(blocks) for row in rows] == []


def test_members_stay_for_a_revision_that_no_commit_has_yet() -> None:
    """Its window is over before the disk accepts the commit."""
    some = ordered()
    written(some)
    some.take(3, at=7.0, now=101.0)
    some.shard.note_progress(Progress("q/000", 26.0), 170.0)
    assert some.shard.over == 1

    [revision] = some.leaving()

    assert revision.summary is not None
    assert revision.summary.values == {"numbers": [2, 3]}


def test_members_go_if_windows_are_no_longer_amended() -> None:
    some = ordered()
    written(some)
    some.store.close()
    assert some.store.members

    after = OneShard(some.store, **{**RULES, "late": "park"}, order=0)
    after.commit()

    assert after.store.members == {}
