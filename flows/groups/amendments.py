"""Remembers the aligned windows that were written, so that late messages can amend them.

Pure. It keeps the running values of each group, and no messages.

Rule 1: A window can be amended until `amend_for` after it was closed, by the clock. The time runs
        from the moment at which a timer would have closed the window, even if the shard closes it
        later. So the shard of a key does not change what happens to a late message.
Rule 2: If a key had no group in a closed window, its late messages make the first one. This does
        not hold for a window that ended before this process knew the watermark: another process
        may have written it, with members that this process does not know.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Any

from flows.groups.open_group import GroupValues
from flows.groups.ordering import rank
from flows.groups.rules import Rules
from flows.groups.windows import Windows
from flows.values.group import Member


class Amendable:
    """The running values of one key's group in a closed window; late messages add to them."""

    def __init__(
        self, rules: Rules, values: GroupValues, count: int = 0, name: str | None = None
    ) -> None:
        """`name`: the common name of the first members (see `combined_id`)."""
        self.count, self.name = count, name
        self._rules = rules
        self._rows, self._states, self._next = values
        self._late: Any = None

    def add(self, member: Member) -> None:
        """Add a late message."""
        tally = self._rules.tally
        assert tally
        if not self.count:
            self.name = member.message_id
        self.count += 1
        if self._rules.hold:
            self._rows.append(member.values)
            return
        if self._late is None:
            self._late = tally.start()
            self._states.append(self._late)
        tally.add(self._late, member.values, self._next)
        self._next += 1

    def results(self) -> dict[str, Any]:
        """Return the reduced values of all members."""
        tally, order = self._rules.tally, self._rules.order
        assert tally
        if not self._rules.hold:
            return dict(tally.results(self._states))
        rows = self._rows if order is None else sorted(self._rows, key=lambda row: rank(row[order]))
        state = tally.start()
        for number, row in enumerate(rows):
            tally.add(state, row, number)
        return dict(tally.results([state]))


class Amendments:
    """The closed windows of a shard that late messages can still amend."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._kept: dict[int, dict[str | None, Amendable]] = {}
        self._closings: deque[tuple[float, float]] = deque()
        """Moments by the clock, each with the number below which windows were closed then."""
        self._known_from = inf
        """Windows below this number ended before the watermark became known."""
        self._over_below = -inf
        """Windows below this number can not be amended any more."""

    def follow(self, windows: Windows, now: float) -> None:
        """Advance the windows, note when each closes, and forget those that are too old."""
        for at, below in windows.closings(now, self._rules.amend_for):
            self._closed(below, at)
        self._forget(now)

    def _closed(self, below: float, now: float) -> None:
        """Note that all windows below this number are closed."""
        if not self._closings and self._known_from == inf:
            self._known_from = below
        self._closings.append((now, below))

    def keep(self, window: int, key: str | None, amendable: Amendable) -> None:
        """Remember a group of this window that is written."""
        self._kept.setdefault(window, {})[key] = amendable

    def find(self, window: int, key: str | None) -> Amendable | None:
        """Return the group that a late message amends; `None`: the message is too late. Rule 2."""
        if window < self._over_below:
            return None
        found = self._kept.get(window, {}).get(key)
        if found is None and window >= self._known_from:
            found = Amendable(self._rules, GroupValues([], [], 0))
            self.keep(window, key, found)
        return found

    def _forget(self, now: float) -> None:
        """Forget the windows that were closed more than `amend_for` ago. Rule 1."""
        while self._closings and self._closings[0][0] + self._rules.amend_for <= now:
            _, self._over_below = self._closings.popleft()
            for window in [window for window in self._kept if window < self._over_below]:
                del self._kept[window]
