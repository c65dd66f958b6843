"""Remembers how far the state counts each stream, to recognise messages that are read again.

Pure. A stream marks no message as redelivered. Each has one consumer, and all values of a consumer
reach a shard in their order: so of one connection, the offsets that a shard sees ascend.

Rule 1: a message is known if its offset is not above the last one that the shard has seen. Of a
        message with several documents, the number of the document counts too.
Rule 2: a message that the shard has rejected is not known: whether it was parked is not known
        either, so it is handled again. So is a message that waits. The broker holds at most a
        prefetch of unacknowledged messages, so the last `most` of them are enough.
Rule 3: of a stream that was deleted and made anew, nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from connectors.message import Origin, Outcomes, StreamOpened
from flows.state.commit import Changes, Row, Table
from flows.state.rows import decoded, encoded
from flows.values.group import Member

Place = tuple[int, int]
"""The offset of a message, and the number of a document in it."""

BEGIN: Place = (-1, 0)
"""Before the first message of a stream."""

LAST = 0
"""Number of the row with the last place of each stream; other rows have the rejected and waiting
messages of the commit with their number."""


class LastPlace(NamedTuple):
    """How far a stream is counted."""

    stream: str
    """See `StreamOpened`."""
    place: Place = BEGIN


class _Unhandled(NamedTuple):
    """A message that is rejected, or waits."""

    consumer: str
    stream: str
    place: Place


class KnownOffsets:
    """The last place of each stream, by consumer, and the rejected messages before it."""

    table = Table.OFFSETS

    def __init__(self, most: int) -> None:
        """`most`: the number of messages that is enough (rule 2)."""
        self._most = most
        self._last: dict[str, LastPlace] = {}
        self._changed = False
        """The last places have changed since the last commit."""
        self._read: dict[Origin, Place] = {}
        """The last place that each connection has delivered."""
        self._unhandled: dict[_Unhandled, int] = {}
        """With the number of the commit, in their order; 0: since the last commit."""
        self._blocks: dict[int, dict[_Unhandled, bool]] = {0: {}}
        """The same by the number of the commit, with whether the message is rejected."""
        self._touched: set[int] = set()
        """Commits of which messages were forgotten since the last commit."""

    def open(self, opened: StreamOpened) -> bool:
        """Note which stream a consumer reads; return whether it was made anew. Rule 3."""
        origin, stream = opened
        self._read = {one: at for one, at in self._read.items() if one.consumer != origin.consumer}
        self._read[origin] = BEGIN
        last = self._last.get(origin.consumer)
        if last is not None and last.stream == stream:
            return False
        self._last[origin.consumer] = LastPlace(stream)
        return last is not None

    def split(self, members: Sequence[Member]) -> tuple[list[Member], list[Member]]:
        """Divide messages of one connection into known ones and others. Rules 1 and 2.

        Raises:
            AssertionError: the offsets do not ascend.
        """
        origin = members[0].origin
        first, end = place_of(members[0]), place_of(members[-1])
        assert self._read[origin] < first <= end, f"{origin.consumer}: offsets do not ascend"
        self._read[origin] = end
        stream, last = self._last[origin.consumer]
        if first > last:
            return [], [*members]
        known, others = list[Member](), list[Member]()
        for member in members:
            place = place_of(member)
            unhandled = _Unhandled(origin.consumer, stream, place) in self._unhandled
            (others if place > last or unhandled else known).append(member)
        return known, others

    def rejects(self, member: Member) -> bool:
        """Return whether the shard has rejected this message before."""
        consumer = member.origin.consumer
        one = _Unhandled(consumer, self._last[consumer].stream, place_of(member))
        number = self._unhandled.get(one)
        return number is not None and self._blocks[number][one]

    def seen(
        self,
        members: Sequence[Member],
        rejected: Collection[Place],
        waiting: Collection[Place] = (),
    ) -> None:
        """Note messages of one connection; the shard has handled those that do not wait."""
        if not members:
            return
        consumer = members[0].origin.consumer
        stream, last = self._last[consumer]
        if (end := place_of(members[-1])) > last:
            self._last[consumer], self._changed = LastPlace(stream, end), True
        if self._unhandled and place_of(members[0]) <= last:
            for member in members:
                self._forget(_Unhandled(consumer, stream, place_of(member)))
        are_rejected = {**dict.fromkeys(waiting, False), **dict.fromkeys(rejected, True)}
        self._add(0, {_Unhandled(consumer, stream, at): it for at, it in are_rejected.items()})

    def changes(self, number: int, now: float) -> Changes:
        """See `Remembered`."""
        rows, gone = list[Row](), list[int]()
        if self._changed:
            rows.append((LAST, encoded({name: tuple(one) for name, one in self._last.items()})))
            self._changed = False
        if new := self._blocks[0]:
            self._blocks[0] = {}
            self._add(number, new)
            self._touched.add(number)
        while len(self._unhandled) > self._most:
            self._forget(next(iter(self._unhandled)))
        for each in self._touched:
            if block := self._blocks[each]:
                rows.append((each, encoded([(*one, it) for one, it in block.items()])))
            else:
                gone.append(each)
                del self._blocks[each]
        self._touched = set()
        return Changes(rows, gone)

    def restore(self, rows: Sequence[Row]) -> None:
        """See `Remembered`."""
        for number, stored in rows:
            if number == LAST:
                self._last = {**last_places(stored)}
            else:
                self._add(number, {_Unhandled(*one): it for *one, it in decoded(stored)})

    def _add(self, number: int, unhandled: Mapping[_Unhandled, bool]) -> None:
        self._unhandled |= dict.fromkeys(unhandled, number)
        self._blocks.setdefault(number, {}).update(unhandled)

    def _forget(self, unhandled: _Unhandled) -> None:
        number = self._unhandled.pop(unhandled, None)
        if number is not None:
            del self._blocks[number][unhandled]
            if number:
                self._touched.add(number)


def place_of(member: Member) -> Place:
    """Return the place of a message of a stream, or of one document of it."""
    assert member.offset is not None
    return member.offset, 0 if member.part is None else member.part[0]


def last_places(stored: bytes) -> Mapping[str, LastPlace]:
    """Return how far each stream is counted, by consumer, from the row `LAST`."""
    return {name: LastPlace(*one) for name, one in decoded(stored).items()}


def rejected(members: Sequence[Member], out: Sequence[object]) -> set[Place]:
    """Return the places of those of the members, all of one connection, that outcomes reject."""
    tags = set[tuple[int, int | None]]()
    for one in out:
        if isinstance(one, Outcomes) and one.origin == members[0].origin:
            tags.update((each.message.tag, None) for each in one.rejected)
            tags.update((each.tag, each.position) for each in one.parts if each.rejected)
    if not tags:
        return set()
    return {place_of(one) for one in members if (one.message.tag, one.part and one.part[0]) in tags}
