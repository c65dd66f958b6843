"""Decides which messages leave together: the open groups of one shard, and what completes them.

Pure: `now` is an argument, in seconds of any clock that only goes forward. It knows neither where
messages come from nor where groups go.

Rule 1: A message enters the open group, or opens one; the group's age runs from its first message.
Rule 2: The message that meets `count`, or crosses `bytes`, is the last one of its group. When it
        does both, the group was completed by `count`.
Rule 3: A message at exactly the end of `time` belongs to the next group.
Rule 4: Messages of a lost connection leave the open group: they will be delivered again.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Protocol

from connectors.message import Group, Member, Origin


class Window(Protocol):
    """When a group is complete; whichever comes first, and `None` never does."""

    @property
    def count(self) -> int | None:
        """Messages."""

    @property
    def bytes(self) -> int | None:
        """Bytes of the bodies as received."""

    @property
    def time(self) -> float | None:
        """Seconds since the first message."""


class Shard:
    """The open group of one stream of messages."""

    def __init__(self, window: Window) -> None:
        self._count, self._bytes, self._time = window.count, window.bytes, window.time
        self._members: list[Member] = []
        self._size = 0
        self._opened_at = 0.0

    @property
    def due_at(self) -> float | None:
        """When `complete_due` has something to complete; `None` while nothing is open."""
        if self._time is None or not self._members:
            return None
        return self._opened_at + self._time

    def add(self, members: list[Member], now: float) -> list[Group]:
        """Take messages in, in order; return the groups that are complete by now."""
        groups = self.complete_due(now)  # Rule 3
        while members:
            if not self._members:
                self._opened_at = now  # Rule 1
            taken, completed_by = self._fill(members)
            self._members += members[:taken]
            members = members[taken:]
            if completed_by is not None:
                groups.append(self._complete(completed_by))
        return groups

    def complete_due(self, now: float) -> list[Group]:
        """Complete what has come of age."""
        due_at = self.due_at
        return [self._complete("time")] if due_at is not None and due_at <= now else []

    def complete_all(self, completed_by: str) -> list[Group]:
        """Complete whatever is open."""
        return [self._complete(completed_by)] if self._members else []

    def purge(self, origin: Origin) -> None:
        """Forget the messages of a lost connection. Rule 4."""
        self._members = [member for member in self._members if member.origin != origin]
        self._size = sum(len(member.message.body) for member in self._members)

    def _fill(self, members: list[Member]) -> tuple[int, str | None]:
        """How many of these the open group takes, and what that completes it by. Rule 2."""
        taken, completed_by = len(members), None
        if self._count is not None and taken >= self._count - len(self._members):
            taken, completed_by = self._count - len(self._members), "count"
        if self._bytes is not None:
            sizes = list(accumulate([len(m.message.body) for m in members[:taken]]))
            crossed = bisect_left(sizes, self._bytes - self._size)
            if crossed < taken - 1 or (crossed < taken and completed_by is None):
                taken, completed_by = crossed + 1, "bytes"
            self._size += sizes[taken - 1]
        return taken, completed_by

    def _complete(self, completed_by: str) -> Group:
        members, self._members, self._size = self._members, [], 0
        return Group(None, members, completed_by)
