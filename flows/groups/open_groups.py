"""Finds the open groups of one shard by key and window, and the group that is due next.

Pure. It costs the same with a hundred groups and with a million. Of the rules, it knows those by
time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import inf, nan
from operator import attrgetter
from typing import NamedTuple

from flows.groups.lines import Line, SortedLine
from flows.groups.open_group import OpenGroup
from flows.groups.rules import Rules
from flows.groups.windows import Windows

MakeGroup = Callable[[Rules, str | None, int | None, float], OpenGroup]
"""(rules, key, window, time of now) -> an empty group."""


class Due(NamedTuple):
    """The groups that are complete next if no message arrives until then."""

    at: float
    reason: str
    groups: Iterable[OpenGroup]


class OpenGroups:
    """Open groups by aligned window, if there are any, and by key."""

    def __init__(self, rules: Rules, windows: Windows | None, make: MakeGroup) -> None:
        self.count = 0
        self._rules, self._windows = rules, windows
        self._make = make
        self._groups: dict[int | None, dict[str | None, OpenGroup]] = {None: {}}
        line = Line if rules.event_order is None else SortedLine
        self._ages, self._pauses = line("opened_at"), line("last_at")
        self._by_age = rules.time is not None or rules.max_groups is not None
        self._reopened: set[int] = set()
        """Closed windows that have new groups of late messages."""

    def all(self) -> list[OpenGroup]:
        """Return all groups, by window and then in the order in which they were opened."""
        return [*self._in_order()]

    def oldest(self, most: int) -> list[OpenGroup]:
        """Return the first of `all`, at most so many."""
        return [*islice(self._in_order(), most)]

    def under(self, key: str | None) -> list[OpenGroup]:
        """Return the groups of a key, at most one for each window."""
        return [groups[key] for groups in self._groups.values() if key in groups]

    def of_window(self, window: int | None) -> dict[str | None, OpenGroup]:
        """Return the groups of a window by key; read only."""
        return self._groups.get(window, _NONE)

    def make(self, key: str | None, window: int | None, now: float) -> OpenGroup:
        """Make a group without adding it."""
        return self._make(self._rules, key, window, now)

    def open(self, key: str | None, window: int | None, now: float) -> OpenGroup:
        """Make a group and add it."""
        group = self._make(self._rules, key, window, now)
        if window is not None and self._windows is not None and window not in self._groups:
            self._groups[window] = {}
            self._windows.open(window, now)
            if window < self._windows.closed_below:
                self._reopened.add(window)
        self._groups[window][key] = group
        self.count += 1
        if self._by_age:
            self._ages.append(group, now, self.count)
        if self._rules.idle is not None:
            self._pauses.append(group, now, self.count)
        return group

    def recover(self, groups: Sequence[OpenGroup]) -> None:
        """Add the groups of an earlier process; call it before any other is opened."""
        for group in groups:
            window = group.window
            if window is not None and self._windows is not None and window not in self._groups:
                self._groups[window] = {}
                self._windows.open(window, group.opened_at)
            self._groups[window][group.key] = group
        self.count = len(groups)
        if self._by_age:
            for group in sorted(groups, key=attrgetter("opened_at")):
                self._ages.append(group, group.opened_at, self.count)
        if self._rules.idle is not None:
            for group in sorted(groups, key=attrgetter("last_at")):
                self._pauses.append(group, group.last_at, self.count)

    def touch(self, group: OpenGroup, now: float) -> None:
        """Note that an open group gets another message; needed with `idle` only."""
        if group.last_at != now:
            self._pauses.append(group, now, self.count)

    def opened_earlier(self, group: OpenGroup, at: float) -> None:
        """Move the beginning of a group to an earlier message."""
        group.opened_at = at
        if self._by_age:
            self._ages.append(group, at, self.count)

    def remove(self, group: OpenGroup) -> None:
        """Remove a group that is not open any more."""
        del self._groups[group.window][group.key]
        self.count -= 1
        group.opened_at = group.last_at = nan  # its entries in the lines are outdated

    def eldest(self) -> OpenGroup:
        """Return the group that was opened first."""
        first = self._ages.first()
        assert first
        return first[1]

    def next_due(self) -> Due | None:
        """Return what time completes next; at the same moment `time` before `idle` and `window`."""
        rules, due = self._rules, None
        if rules.time is not None and (first := self._ages.first()):
            due = Due(first[0] + rules.time, "time", (first[1],))
        if rules.idle is not None and (first := self._pauses.first()):
            at = first[0] + rules.idle
            if due is None or at < due.at:
                due = Due(at, "idle", (first[1],))
        if self._windows is not None and (window := self._first_window(self._windows)) is not None:
            closes_at = self._windows.closes_at(window)
            if closes_at is not None and (due is None or closes_at < due.at):
                due = Due(closes_at, "window", self._groups[window].values())
        return due

    def take_reopened(self) -> list[OpenGroup]:
        """Return the new groups in closed windows; they must leave with their batch."""
        reopened, self._reopened = self._reopened, set()
        return [group for window in sorted(reopened) for group in self._groups[window].values()]

    def _in_order(self) -> Iterator[OpenGroup]:
        windows = sorted(self._groups, key=lambda window: -inf if window is None else window)
        return (group for window in windows for group in self._groups[window].values())

    def _first_window(self, windows: Windows) -> int | None:
        """Return the open window that ends first; forget windows without groups."""
        while (window := windows.first()) is not None and not self._groups[window]:
            windows.close(window)
            del self._groups[window]
        return window


_NONE: dict[str | None, OpenGroup] = {}
