"""Remembers the distinct values of messages for a time, to find messages that were sent twice.

Pure. All of it is bounded, and lost when the process ends.

Rule 1: A value is remembered for `seconds` after the arrival of the first message with it. With
        `time` or `idle` by event time, event times count instead.
Rule 2: The value of a message that was not written is free: the message was lost with its
        connection, parked or dropped. The shard finds this out: the group has no such member.
Rule 3: If there are more than `most` values, the one that came first is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import msgspec


class FirstCopy(msgspec.Struct):
    """The first message with a value: where it is."""

    at: float
    """When it arrived, in seconds since 1970."""
    window: int | None
    """The aligned window of its group."""
    number: int | None = None
    """Number of the group in which it left; `None`: its group has not been written yet."""
    position: int = 0
    """Position of its document in that group."""


class DistinctValues:
    """The first message with each value, by the value."""

    def __init__(self, seconds: float, most: int) -> None:
        self.forgotten = 0
        """Number of values that were forgotten early. Rule 3."""
        self._seconds, self._most = seconds, most
        self._first: OrderedDict[Hashable, FirstCopy] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values that are remembered."""
        return len(self._first)

    def find(self, value: Hashable, now: float) -> FirstCopy | None:
        """Return the first message with a value; `None`: it is unknown, or too long ago. Rule 1."""
        found = self._first.get(value)
        return None if found is None or found.at + self._seconds <= now else found

    def remember(self, value: Hashable, window: int | None, now: float) -> None:
        """Remember the first message with a value."""
        first = self._first
        while first and next(iter(first.values())).at + self._seconds <= now:
            first.popitem(last=False)
        first[value] = FirstCopy(now, window)
        first.move_to_end(value)
        if len(first) > self._most:
            self.forgotten += 1
            first.popitem(last=False)

    def left(self, values: Sequence[Hashable], number: int) -> None:
        """Note that a group left to be written, with messages of these values in this order."""
        first = self._first
        for position, value in enumerate(values):
            found = first.get(value)
            if found is not None:
                found.number, found.position = number, position
