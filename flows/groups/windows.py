"""Aligned windows: where a message belongs, which windows are open, and which are over.

Pure. It knows windows by their number since 1970, counts in whole microseconds so that windows
begin where one expects it, and knows nothing of what is in them.

Rule 1: A moment at exactly the end of a window belongs to the next one.
Rule 2: A window is closed once the time it goes by has come `lateness` beyond its end, and not
        before; what belongs to a closed window is late.
Rule 3: While all that has come lies so far ahead that it moves nothing, the clock ends windows,
        once no partition is waited for. It closes none: what comes may tell an earlier time.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

from flows.groups.rules import MICROSECONDS, Rules, Tumbling
from flows.groups.watermark import ClockTime, Watermark
from flows.values.group import Member, Progress

MAX_CLOSINGS = 100
"""How many moments are told apart, however long nothing looked."""


class Windows:
    """The aligned windows of one shard."""

    def __init__(self, tumbling: Tumbling, rules: Rules) -> None:
        self._tumbling, self._by_event = tumbling, tumbling.by_event
        self._every, self._lateness = tumbling.every_us, tumbling.lateness_us
        self._time = (
            Watermark(rules.partitions, tumbling.idle_after) if self._by_event else ClockTime()
        )
        self._open: list[int] = []
        """A heap: the one that ends first is first."""
        self._opened_at: dict[int, float] = {}
        self._idle_after = tumbling.idle_after
        self.closed_below: float = -inf
        """Windows of a lower number are closed, as of the last `closed`."""

    def of(self, member: Member, now: float) -> int:
        """The number of the window that a message belongs to. Rule 1."""
        at = member.at if self._by_event and member.at is not None else now
        return round(at * MICROSECONDS) // self._every

    def span(self, window: int) -> tuple[float, float]:
        """Start and end of a window, in seconds since 1970."""
        return window * self._every / MICROSECONDS, (window + 1) * self._every / MICROSECONDS

    def heard(self, progress: Progress, now: float) -> None:
        """A source partition has come further."""
        if isinstance(self._time, Watermark):
            self._time.heard(progress.partition, progress.at, now)

    def open(self, window: int, now: float) -> None:
        """A window has its first group."""
        heappush(self._open, window)
        self._opened_at[window] = now

    def advance(self, now: float) -> None:
        """Look how far time has come. Rule 2."""
        at = self._time.at(now)
        if at > -inf:
            self.closed_below = self._tumbling.closed_below(at)

    def closings(self, now: float, back: float) -> Iterator[tuple[float, float]]:
        """Advance to now; each moment at which windows were closed, and `closed_below` from then.

        Moments are those at which a timer would have looked, so they depend on nothing else. More
        than `back` seconds ago, and nearer together than a hundredth of that, some are left out;
        but never the first of all, when time became known.
        """
        at = -inf
        while (moment := self._next_closing()) is not None and max(moment, at) < now:
            yield from self._closing(at := max(moment, at))
            at = max(at + back / MAX_CLOSINGS, now - back)
        yield from self._closing(now)

    def _closing(self, at: float) -> Iterator[tuple[float, float]]:
        before = self.closed_below
        self.advance(at)
        if self.closed_below > before:
            yield at, self.closed_below

    def _next_closing(self) -> float | None:
        """When the clock will close a window, or make time known."""
        if self.closed_below == -inf:
            return self._time.begins()
        end = (self.closed_below + 1) * self._every + self._lateness
        return self._time.reaches(end / MICROSECONDS)

    def first(self) -> int | None:
        """The open window that ends first."""
        return self._open[0] if self._open else None

    def closes_at(self, window: int) -> float | None:
        """When that will be, by the clock, if no message comes any more."""
        end = ((window + 1) * self._every + self._lateness) / MICROSECONDS
        reached = self._time.reaches(end)
        if reached is None and window in self._opened_at:  # Rule 3
            return max(end, self._opened_at[window], self._time.last_progress_at) + self._idle_after
        return reached

    def close(self, window: int) -> None:
        """The window that ends first has no group any more."""
        if heappop(self._open) != window:
            raise AssertionError(f"window {window} is closed before one that ends first")
        del self._opened_at[window]
