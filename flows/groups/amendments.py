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
from collections.abc import Callable, Mapping
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

    def forget(self) -> None:
        """Note that late messages can not amend it any more."""

    def add(self, member: Member, now: float) -> None:
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


MakeAmendable = Callable[[int, str | None], Amendable]
"""(window, key) -> a group without members."""


class Amendments:
    """The closed windows of a shard that late messages can still amend."""

    def __init__(self, rules: Rules, make: MakeAmendable) -> None:
        """`make`: makes the first group of a key in a closed window."""
        self._rules, self._make = rules, make
        self._kept: dict[int, dict[str | None, Amendable]] = {}
        self._closings: deque[tuple[float, float]] = deque()
        """Moments by the clock, each with the number below which windows were closed then."""
        self.known_from = inf
        """Windows below this number ended before the watermark became known."""
        self.over_below = -inf
        """Windows below this number can not be amended any more."""

    def follow(self, windows: Windows, now: float) -> None:
        """Advance the windows, note when each closes, and forget those that are too old."""
        for at, below in windows.closings(now, self._rules.amend_for):
            self._closed(below, at)
        self._forget(now)

    def _closed(self, below: float, now: float) -> None:
        """Note that all windows below this number are closed."""
        if not self._closings and self.known_from == inf:
            self.known_from = below
        self._closings.append((now, below))

    def closed_at(self, window: int) -> float:
        """Return when a window was closed, by the clock; infinity: it is not closed yet."""
        return next((at for at, below in self._closings if below > window), inf)

    def restore(self, closed: Mapping[int, float], below: float, now: float) -> None:
        """Continue with the windows of an earlier process, and the moments at which they closed.

        All windows `below` are closed.
        """
        self._closings.extend((at, window + 1) for window, at in sorted(closed.items()) if at < inf)
        self._closings.append((now, below))

    def keep(self, window: int, key: str | None, amendable: Amendable) -> None:
        """Remember a group of this window that is written."""
        self._kept.setdefault(window, {})[key] = amendable

    def find(self, window: int, key: str | None) -> Amendable | None:
        """Return the group that a late message amends; `None`: the message is too late. Rule 2."""
        if window < self.over_below:
            return None
        found = self._kept.get(window, {}).get(key)
        if found is None and window >= self.known_from:
            found = self._make(window, key)
            self.keep(window, key, found)
        return found

    def _forget(self, now: float) -> None:
        """Forget the windows that were closed more than `amend_for` ago. Rule 1."""
        while self._closings and self._closings[0][0] + self._rules.amend_for <= now:
            _, self.over_below = self._closings.popleft()
            for window in [window for window in self._kept if window < self.over_below]:
                for amendable in self._kept.pop(window).values():
                    amendable.forget()
