"""The open groups of one shard: where each of them is, and which of them is due next.

Pure. It costs the same with a hundred groups and with a million. It does not know what completes a
group but the passing of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nan
from typing import NamedTuple

from flows.groups.held import HeldGroup
from flows.groups.lines import Line, SortedLine
from flows.groups.open_group import OpenGroup
from flows.groups.rules import Rules
from flows.groups.running import Running
from flows.groups.windows import Windows


class Due(NamedTuple):
    """What is complete if no message comes until then."""

    at: float
    reason: str
    groups: Iterable[OpenGroup]


class OpenGroups:
    """Groups by aligned window, if windows are aligned, and by key."""

    def __init__(self, rules: Rules, windows: Windows | None) -> None:
        self.count = 0
        self._rules, self._windows = rules, windows
        self._new = Running if rules.tally and not rules.hold else HeldGroup
        self._groups: dict[int | None, dict[str | None, OpenGroup]] = {None: {}}
        line = Line if rules.event_order is None else SortedLine
        self._ages, self._pauses = line("opened_at"), line("last_at")
        self._by_age = rules.time is not None or rules.max_groups is not None
        self._reopened: set[int] = set()
        """Windows that were closed before they were opened."""

    def all(self) -> list[OpenGroup]:
        """By window, and those opened first are first."""
        windows = sorted(self._groups, key=lambda window: -inf if window is None else window)
        return [group for window in windows for group in self._groups[window].values()]

    def under(self, key: str | None) -> list[OpenGroup]:
        """The groups of a key, one for each window."""
        return [groups[key] for groups in self._groups.values() if key in groups]

    def of_window(self, window: int | None) -> dict[str | None, OpenGroup]:
        """Groups by key, to look at and not to change."""
        return self._groups.get(window, _NONE)

    def make(self, key: str | None, window: int | None, now: float) -> OpenGroup:
        """A group that has no place here yet."""
        return self._new(self._rules, key, window, now)

    def open(self, key: str | None, window: int | None, now: float) -> OpenGroup:
        """A new group in its place."""
        group = self._new(self._rules, key, window, now)
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

    def heard(self, group: OpenGroup, now: float) -> None:
        """A group that is open gets another message, for rules with `idle`."""
        if group.last_at != now:
            self._pauses.append(group, now, self.count)

    def opened_earlier(self, group: OpenGroup, at: float) -> None:
        """A group gets a first message that is earlier than the one that opened it."""
        group.opened_at = at
        if self._by_age:
            self._ages.append(group, at, self.count)

    def remove(self, group: OpenGroup) -> None:
        """It is not open any more."""
        del self._groups[group.window][group.key]
        self.count -= 1
        group.opened_at = group.last_at = nan  # it has no place in a line any more

    def eldest(self) -> OpenGroup:
        """The one that was opened first."""
        first = self._ages.first()
        assert first
        return first[1]

    def next_due(self) -> Due | None:
        """What time completes next; `time`, `idle`, `window` when they do so at once."""
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
        """The groups of closed windows: such a window is not kept open for more."""
        reopened, self._reopened = self._reopened, set()
        return [group for window in sorted(reopened) for group in self._groups[window].values()]

    def _first_window(self, windows: Windows) -> int | None:
        """The window that ends first; those whose groups have all left are forgotten."""
        while (window := windows.first()) is not None and not self._groups[window]:
            windows.close(window)
            del self._groups[window]
        return window


_NONE: dict[str | None, OpenGroup] = {}
