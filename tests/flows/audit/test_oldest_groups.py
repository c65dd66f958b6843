"""A shard shows its oldest groups only when a reader has asked."""

from __future__ import annotations

from connectors.message import Origin
from flows.audit.oldest_groups import SHOWN, OldestGroups
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from tests.flows.members import members


def shard_of(*firsts: int, at: float = 10.0) -> Shard:
    """Without keys there is one open group, with the messages that begin there."""
    shard = Shard(Rules(time=60.0))
    for first in firsts:
        shard.add(members(first, first), now=at)
    return shard


def test_nothing_is_shown_unless_a_reader_asks() -> None:
    oldest = OldestGroups()
    view, shard = oldest.of_shard(), shard_of(1)

    view.update(shard)
    assert oldest() == []

    oldest.ask()
    assert not oldest.are_known
    view.update(shard)
    assert oldest.are_known
    assert oldest() == [(10.0, None, 1)]


def test_the_oldest_of_all_shards_come_first() -> None:
    oldest = OldestGroups()
    views = [oldest.of_shard() for _ in range(SHOWN + 3)]
    oldest.ask()

    for number, view in enumerate(views):
        view.update(shard_of(1, at=100.0 - number))

    assert [group.opened_at for group in oldest()] == [100.0 - n for n in range(SHOWN + 2, 2, -1)]


def test_groups_that_have_left_are_not_shown() -> None:
    """Even if no reader asks in between: no timer runs without an open group."""
    oldest = OldestGroups()
    view, shard = oldest.of_shard(), shard_of(1)
    oldest.ask()
    view.update(shard)

    shard.complete(None, now=11.0)
    view.update(shard)

    assert oldest() == []
    oldest.ask()
    assert oldest.are_known


def test_a_lost_message_leaves_its_group() -> None:
    oldest = OldestGroups()
    view, shard = oldest.of_shard(), shard_of(1, 2)
    shard.purge(Origin("another/000", 1))

    oldest.ask()
    view.update(shard)

    assert [group.members for group in oldest()] == [2]
