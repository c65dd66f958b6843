"""Groups in the order of a moment of theirs, with the earliest at hand at any time.

Pure. It costs the same with a hundred groups and with a million: nothing is searched or sorted,
because moments are handed in as they come. It knows nothing of what follows from a moment.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from operator import attrgetter
from typing import Literal

from flows.groups.open_group import OpenGroup

TIDY_AFTER = 1000
"""Entries that may lie about in vain, beside as many as there are of use."""


class Line:
    """Groups by when they were opened, or by when their last message came.

    What has left, or moved on since, is skipped when its turn comes: to take it out of the middle
    would cost a search. When more than half of the line is of that kind, it is made anew, so that
    both its length and the work on it stay in proportion to the groups that are open.
    """

    def __init__(self, moment: Literal["opened_at", "last_at"]) -> None:
        self._moment = attrgetter(moment)
        self._groups: deque[OpenGroup] = deque()
        self._moments: deque[float] = deque()

    def __len__(self) -> int:
        """Groups in it, with those that are of no use any more."""
        return len(self._groups)

    def append(self, group: OpenGroup, moment: float, open_groups: int) -> None:
        """Put a group last; where it stood before does not count any more."""
        self._groups.append(group)
        self._moments.append(moment)
        if len(self._groups) > 2 * open_groups + TIDY_AFTER:
            self._tidy()

    def first(self) -> tuple[float, OpenGroup] | None:
        """The group with the earliest moment, and that moment."""
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
    """The same for moments that are handed in in any order; it costs a search for the place."""

    def __init__(self, moment: Literal["opened_at", "last_at"]) -> None:
        self._moment = attrgetter(moment)
        self._number = 0
        self._heap: list[tuple[float, int, OpenGroup]] = []

    def __len__(self) -> int:
        """Groups in it, with those that are of no use any more."""
        return len(self._heap)

    def append(self, group: OpenGroup, moment: float, open_groups: int) -> None:
        """Put a group in its place; where it stood before does not count any more."""
        self._number += 1
        heappush(self._heap, (moment, self._number, group))
        if len(self._heap) > 2 * open_groups + TIDY_AFTER:
            self._heap = [entry for entry in self._heap if self._moment(entry[2]) == entry[0]]
            heapify(self._heap)

    def first(self) -> tuple[float, OpenGroup] | None:
        """The group with the earliest moment, and that moment."""
        while self._heap:
            moment, _, group = self._heap[0]
            if self._moment(group) == moment:
                return moment, group
            heappop(self._heap)
        return None
