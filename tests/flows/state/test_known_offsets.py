"""How far streams are counted, by the offsets that a shard has seen."""

from __future__ import annotations

import pytest

from connectors.message import Origin, StreamOpened
from flows.state.commit import Changes
from flows.state.known_offsets import KnownOffsets, Place
from flows.values.group import Member
from tests.flows.members import FIRST, SECOND, THIRD, member


def at(*offsets: int, origin: Origin = FIRST) -> list[Member]:
    return [member(1 + offset, origin=origin, offset=offset) for offset in offsets]


def opened(origin: Origin = FIRST, stream: str = "s", most: int = 100) -> KnownOffsets:
    known = KnownOffsets(most)
    known.open(StreamOpened(origin, stream))
    return known


def split(known: KnownOffsets, members: list[Member]) -> tuple[list[int | None], list[int | None]]:
    """The offsets of the messages that are known, and of the others."""
    of_known, others = known.split(members)
    return [one.offset for one in of_known], [one.offset for one in others]


def see(known: KnownOffsets, members: list[Member], *rejected: Place) -> None:
    known.seen(known.split(members)[1], rejected)


def restored(*changes: Changes, most: int = 100) -> KnownOffsets:
    """What the next process knows."""
    rows: dict[int, bytes] = {}
    for rows_of_one, gone in changes:
        rows |= dict(rows_of_one)
        for number in gone:
            del rows[number]
    known = KnownOffsets(most)
    known.restore(sorted(rows.items()))
    return known


def test_a_message_that_is_read_again_is_known() -> None:
    """After a lost connection, and in the next process; each shard sees some offsets only."""
    known = opened()
    see(known, at(3, 5, 8))
    known.open(StreamOpened(THIRD, "s"))
    assert split(known, at(3, 5, origin=THIRD)) == ([3, 5], [])
    assert split(known, at(8, 9, origin=THIRD)) == ([8], [9])

    after = restored(known.changes(1, 0.0))
    assert not after.open(StreamOpened(FIRST, "s"))
    assert split(after, at(5, 8, 9, 11)) == ([5, 8], [9, 11])


def test_each_stream_is_counted_by_itself() -> None:
    known = opened()
    known.open(StreamOpened(SECOND, "other"))
    see(known, at(7))
    see(known, at(2, origin=SECOND))

    after = restored(known.changes(1, 0.0))
    after.open(StreamOpened(FIRST, "s"))
    after.open(StreamOpened(SECOND, "other"))

    assert split(after, at(6, 8)) == ([6], [8])
    assert split(after, at(2, 3, origin=SECOND)) == ([2], [3])


def test_a_stream_that_was_made_anew_is_counted_from_its_beginning() -> None:
    known = opened()
    see(known, at(7))

    after = restored(known.changes(1, 0.0))

    assert after.open(StreamOpened(FIRST, "another"))
    assert split(after, at(0, 7, 8)) == ([], [0, 7, 8])


def test_of_a_message_with_several_documents_the_number_of_the_document_counts() -> None:
    """A commit may come between two of them."""
    parts = [member(1, origin=FIRST, offset=4, part=(number, 3)) for number in range(3)]
    known = opened()
    see(known, parts[:2])

    after = restored(known.changes(1, 0.0))
    after.open(StreamOpened(FIRST, "s"))

    assert after.split(parts) == (parts[:2], parts[2:])


def test_a_rejected_message_is_not_known_until_the_shard_accepts_it() -> None:
    """Whether it was parked before the crash is not known."""
    known = opened()
    see(known, at(1, 2, 3), (2, 0))
    first = known.changes(1, 0.0)

    after = restored(first)
    after.open(StreamOpened(FIRST, "s"))
    again, others = after.split(at(1, 2, 3))
    assert ([one.offset for one in again], [one.offset for one in others]) == ([1, 3], [2])
    after.seen(others, [])

    last = restored(first, after.changes(2, 0.0))
    last.open(StreamOpened(FIRST, "s"))
    assert split(last, at(1, 2, 3)) == ([1, 2, 3], [])


def test_only_the_last_rejected_messages_are_remembered() -> None:
    known = opened(most=2)
    changes = []
    for number in range(1, 4):
        see(known, at(number), (number, 0))
        changes.append(known.changes(number, 0.0))

    after = restored(*changes, most=2)
    after.open(StreamOpened(FIRST, "s"))

    assert changes[-1].gone == [1]
    assert split(after, at(1, 2, 3)) == ([1], [2, 3])


def test_a_commit_without_messages_of_streams_changes_nothing() -> None:
    known = opened()
    assert known.changes(1, 0.0) == Changes([], [])
    see(known, at(1))
    known.changes(2, 0.0)
    assert known.changes(3, 0.0) == Changes([], [])


def test_the_offsets_of_a_connection_must_ascend() -> None:
    """Otherwise a message that was never counted would be taken for a known one."""
    known = opened()
    see(known, at(5, 7))
    with pytest.raises(AssertionError, match="q/000: offsets do not ascend"):
        known.split(at(6))


def test_a_rejected_message_is_told_from_one_that_waits() -> None:
    """When it is read again, by this process or the next one; neither is known."""
    known = opened()
    known.seen(known.split(at(3, 4, 5))[1], rejected=[(3, 0)], waiting=[(4, 0)])
    after = restored(known.changes(1, 0.0))
    after.open(StreamOpened(FIRST, "s"))

    for each in (known, after):
        assert [each.rejects(one) for one in at(3, 4, 5, 6)] == [True, False, False, False]
    assert split(after, at(3, 4, 5, 6)) == ([5], [3, 4, 6])
