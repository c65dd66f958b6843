"""Aligned windows that were written, and may be written again when a message of theirs comes late.

Pure. It keeps what a tally needs, and no messages.

Rule 1: A window can be amended until `amend_for` after it was closed, by the clock.
        A shard may hear of that later: it counts from the moment at which a timer would have rung,
        so that what becomes of a late message does not depend on which shard its key is on.
Rule 2: A key that had no group in a window gets its first one by amending it. But not where the
        window was over before this process knew the stream's time: another one may have written
        it, with more in it than is known here.
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
    """What became of one key's group in one window, and goes on to grow."""

    def __init__(
        self, rules: Rules, values: GroupValues, count: int = 0, name: str | None = None
    ) -> None:
        """`name` is what the first members are called together."""
        self.count, self.name = count, name
        self._rules = rules
        self._rows, self._states, self._next = values
        self._late: Any = None

    def add(self, member: Member) -> None:
        """Take in a message that came late."""
        tally = self._rules.tally
        assert tally
        if not self.count:
            self.name = member.name
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
        """What all members come to."""
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
    """The windows that may be written again."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._kept: dict[int, dict[str | None, Amendable]] = {}
        self._closings: deque[tuple[float, float]] = deque()
        """When, and below which number windows were closed from then on."""
        self._known_from = inf
        """Windows below it were over when stream time became known."""
        self._over_below = -inf
        """Windows below it are not amended any more."""

    def follow(self, windows: Windows, now: float) -> None:
        """Advance the windows; note which were closed when, and let go of what was long ago."""
        for at, below in windows.closings(now, self._rules.amend_for):
            self._closed(below, at)
        self._forget(now)

    def _closed(self, below: float, now: float) -> None:
        """All windows below this number are closed now."""
        if not self._closings and self._known_from == inf:
            self._known_from = below
        self._closings.append((now, below))

    def keep(self, window: int, key: str | None, amendable: Amendable) -> None:
        """A group of that window was written."""
        self._kept.setdefault(window, {})[key] = amendable

    def find(self, window: int, key: str | None) -> Amendable | None:
        """What a late message is added to; `None`: it is too late. Rule 2."""
        if window < self._over_below:
            return None
        found = self._kept.get(window, {}).get(key)
        if found is None and window >= self._known_from:
            found = Amendable(self._rules, GroupValues([], [], 0))
            self.keep(window, key, found)
        return found

    def _forget(self, now: float) -> None:
        """Let go of what was closed long ago. Rule 1."""
        while self._closings and self._closings[0][0] + self._rules.amend_for <= now:
            _, self._over_below = self._closings.popleft()
            for window in [window for window in self._kept if window < self._over_below]:
                del self._kept[window]
