"""Tracks aligned windows: which one a message belongs to, which are open, and which are closed.

Pure. It names windows by their number (see `Tumbling`), counts in whole microseconds so that no
rounding shifts them, and knows nothing of their groups.

Rule 1: A moment at exactly the end of a window belongs to the next one.
Rule 2: A window is closed when its time (the watermark, or the clock) is `lateness` beyond its end,
        and not before. A message of a closed window is late.
Rule 3: If every event time seen is beyond `ahead`, the watermark cannot advance; the clock then
        flushes windows after `idle_after`, but does not close them: later messages may bring
        earlier event times.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

from flows.groups.rules import MICROSECONDS, Rules, Tumbling
from flows.groups.watermark import ClockTime, PassingTime, Watermark
from flows.values.group import Member, Progress

MAX_CLOSINGS = 100
"""The largest number of moments that `closings` tells apart."""


class Windows:
    """The aligned windows of one shard."""

    def __init__(self, tumbling: Tumbling, rules: Rules) -> None:
        self._tumbling, self._by_event = tumbling, tumbling.by_event
        self._every, self._zone = tumbling.every_us, tumbling.zone
        self._time: PassingTime = (
            Watermark(rules.partitions, tumbling.idle_after) if self._by_event else ClockTime()
        )
        self._open: list[int] = []
        """A heap of window numbers: the window that ends first is first."""
        self._opened_at: dict[int, float] = {}
        self._idle_after = tumbling.idle_after
        self.closed_below: float = -inf
        """Windows of a lower number are closed, as of the last `advance`."""

    def of(self, member: Member, now: float) -> int:
        """Return the number of the window that a message belongs to. Rule 1."""
        at = member.at if self._by_event and member.at is not None else now
        moment = round(at * MICROSECONDS)
        return moment // self._every if self._zone is None else self._zone.window_at(moment)

    def span(self, window: int) -> tuple[float, float]:
        """Return start and end of a window, in seconds since 1970."""
        tumbling = self._tumbling
        return tumbling.start(window) / MICROSECONDS, tumbling.end(window) / MICROSECONDS

    @property
    def lag(self) -> float:
        """See `Watermark`."""
        return self._time.lag if isinstance(self._time, Watermark) else inf

    def go_on(self, lag: float) -> None:
        """Go on after another process, which had this `lag`."""
        if isinstance(self._time, Watermark):
            self._time.lag_before = lag

    def note_progress(self, progress: Progress, now: float) -> None:
        """Note the event time of a source partition."""
        if isinstance(self._time, Watermark):
            self._time.note_progress(progress.partition, progress.at, now)

    def open(self, window: int, now: float) -> None:
        """Note that a window has its first group."""
        heappush(self._open, window)
        self._opened_at[window] = now

    def advance(self, now: float) -> None:
        """Close the windows that are over at `now`. Rule 2."""
        at = self._time.at(now)
        if at > -inf:
            self.closed_below = self._tumbling.closed_below(at)

    def closings(self, now: float, back: float) -> Iterator[tuple[float, float]]:
        """Advance to `now`; yield each moment at which windows closed, with the new `closed_below`.

        The moments are those at which a timer would have fired, so they do not depend on when this
        is called. Moments more than `back` seconds ago, or closer together than a hundredth of
        `back`, may be left out, but never the first one, when the time became known.
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
        """Return when the clock will close a window, or make the time known."""
        if self.closed_below == -inf:
            return self._time.begins()
        return self._time.reaches(self._closes(int(self.closed_below)))

    def first(self) -> int | None:
        """Return the open window that ends first."""
        return self._open[0] if self._open else None

    def closes_at(self, window: int) -> float | None:
        """Return when a window closes, by the clock, if no message arrives; `None`: never."""
        closes = self._closes(window)
        reached = self._time.reaches(closes)
        if reached is None and window in self._opened_at:  # Rule 3
            return (
                max(closes, self._opened_at[window], self._time.last_progress_at) + self._idle_after
            )
        return reached

    def _closes(self, window: int) -> float:
        """Return the time that closes a window, in seconds since 1970. Rule 2."""
        return (self._tumbling.end(window) + self._tumbling.lateness_us) / MICROSECONDS

    def close(self, window: int) -> None:
        """Forget the window that ends first, when it has no groups."""
        if heappop(self._open) != window:
            raise AssertionError(f"window {window} is closed before one that ends first")
        del self._opened_at[window]
