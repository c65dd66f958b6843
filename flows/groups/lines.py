"""Queues of open groups by the time of their first or last message, the earliest first.

Pure. A `Line` costs the same with a hundred groups and with a million: times are appended in order,
so it never searches or sorts.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from operator import attrgetter
from typing import Literal

from flows.groups.open_group import OpenGroup

TIDY_AFTER = 1000
"""Outdated entries that a line may keep, besides one for each open group."""


class Line:
    """Open groups by the time they were opened, or by the time of their last message.

    An entry is outdated when its group has left or has a later time. It stays until it is first, as
    to remove it earlier would cost a search. When more than half of the entries are outdated, the
    line is rebuilt, so that its length stays in proportion to the open groups.
    """

    def __init__(self, moment: Literal["opened_at", "last_at"]) -> None:
        self._moment = attrgetter(moment)
        self._groups: deque[OpenGroup] = deque()
        self._moments: deque[float] = deque()

    def __len__(self) -> int:
        """Return the number of entries, outdated ones included."""
        return len(self._groups)

    def append(self, group: OpenGroup, moment: float, open_groups: int) -> None:
        """Append a group; its earlier entry is outdated."""
        self._groups.append(group)
        self._moments.append(moment)
        if len(self._groups) > 2 * open_groups + TIDY_AFTER:
            self._tidy()

    def first(self) -> tuple[float, OpenGroup] | None:
        """Return the earliest moment, and the group with it; `None`: the line is empty."""
        while self._groups:
            moment, group = self._moments[0], self._groups[0]
            if self._moment(group) == moment:
                return moment, group
            self._moments.popleft()
            self._groups.popleft()
        return None

    def _tidy(self) -> None:
        pairs = zip(self._groups, self._moments, strict=True)
        valid = [pair for pair in pairs if self._moment(pair[0]) == pair[1]]
        self._groups = deque(group for group, _ in valid)
        self._moments = deque(moment for _, moment in valid)


class SortedLine:
    """A `Line` whose times come in any order: a heap."""

    def __init__(self, moment: Literal["opened_at", "last_at"]) -> None:
        self._moment = attrgetter(moment)
        self._number = 0
        self._heap: list[tuple[float, int, OpenGroup]] = []

    def __len__(self) -> int:
        """Return the number of entries, outdated ones included."""
        return len(self._heap)

    def append(self, group: OpenGroup, moment: float, open_groups: int) -> None:
        """Insert a group; its earlier entry is outdated."""
        self._number += 1
        heappush(self._heap, (moment, self._number, group))
        if len(self._heap) > 2 * open_groups + TIDY_AFTER:
            self._heap = [entry for entry in self._heap if self._moment(entry[2]) == entry[0]]
            heapify(self._heap)

    def first(self) -> tuple[float, OpenGroup] | None:
        """Return the earliest moment, and the group with it; `None`: the line is empty."""
        while self._heap:
            moment, _, group = self._heap[0]
            if self._moment(group) == moment:
                return moment, group
            heappop(self._heap)
        return None
