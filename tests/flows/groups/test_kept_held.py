"""A group of the state that keeps its members: on the disk, and not in memory."""

from __future__ import annotations

from flows.state.commit import Table
from flows.values.group import Group
from tests.flows.kept_shards import TALLY, OneShard


def numbers(group: Group) -> list[int]:
    return [one.values[0] for one in group.members]


def test_a_commit_has_only_the_new_members() -> None:
    """Neither an older one, nor those of a group without new ones, nor any when it leaves."""
    some = OneShard(count=3)
    some.take(1)
    [(row, first)] = some.commit().members
    some.shard.durable()
    some.take(2)
    [(same, second)] = some.commit().members
    some.shard.durable()
    assert (row, len(first)) == (same, len(second))

    some.take(3)
    last = some.commit()

    assert [(row, len(stored)) for row, stored in last.members] == [(row, len(first))]
    [(_, left)] = last.of(Table.LEFT).rows
    assert b"xxxxxxxxxx" in first
    assert b"xxxxxxxxxx" not in left


def test_a_group_leaves_with_all_of_its_members() -> None:
    """In this process, and in the next one, which does not know whether they are written."""
    some = OneShard(count=3)
    some.take(1, 2)
    some.commit()
    some.shard.durable()
    some.take(3)
    [group] = some.leaving()

    [again] = OneShard(some.store, count=3).read()

    assert numbers(group) == numbers(again) == [1, 2, 3]
    assert group.kept is not None
    assert (group.kept.name, group.kept.is_again) == ("t0ken.7.1", False)
    assert again.kept == group.kept._replace(is_again=True)
    assert (group.to_settle, group.members[0].origin.consumer) == (0, "q/000")


def test_members_are_sorted_and_reduced_when_their_group_leaves() -> None:
    some = OneShard(count=3, order=0)
    some.take(3, 1, 2)
    [group] = some.leaving()
    assert numbers(group) == [1, 2, 3]

    some = OneShard(count=3, order=0, tally=TALLY)
    some.take(3, 1, 2)
    [group] = some.leaving()
    assert group.members == []
    assert group.summary is not None
    assert (group.summary.values, group.summary.name) == ({"numbers": [1, 2, 3]}, "t0ken.7.1")


def test_a_group_that_is_parked_leaves_with_its_reason() -> None:
    """Also after a restart."""
    some = OneShard(count=3, time=5.0, incomplete="park")
    some.take(1, 2)
    assert some.shard.complete_due(now=15.3) == []
    [group] = some.leaving()

    [again] = OneShard(some.store, count=3, time=5.0).read()

    for one in (group, again):
        assert one.rejection is not None
        assert one.rejection.reason == 'incomplete: time, key "a"'
        assert one.rejection.foreseen
        assert numbers(one) == [1, 2]


def test_a_group_that_is_dropped_leaves_nothing_behind() -> None:
    some = OneShard(count=3, time=5.0, incomplete="drop")
    some.take(1)
    some.commit()
    some.shard.durable()
    some.take(2)
    some.shard.complete_due(now=15.3)

    assert some.leaving() == []
    assert some.store.members == {}
    assert OneShard(some.store).shard.open_groups == 0


def test_a_document_of_a_message_is_kept_without_the_others() -> None:
    some = OneShard(count=2)
    some.take(1, 2, part=(4, 1000))

    [group] = some.leaving()

    assert [one.message.body for one in group.members] == [b"only 4", b"only 4"]
    assert [one.part for one in group.members] == [(4, 1000), (4, 1000)]
