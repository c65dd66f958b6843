"""Computes the watermark: how far event time has come, which decides when aligned windows close.

Pure. It knows the names of source partitions, and no messages.

Rule 1: The watermark is the smallest of the partitions' largest event times.
Rule 2: A partition that is silent for `idle_after` is idle, and does not count. A partition without
        any progress is silent since the shard began, so the watermark waits for it at first.
Rule 3: If all partitions are idle, the largest of their event times counts, and from then on the
        clock advances the watermark. If none has an event time since the shard began, that of the
        process before counts: so a restart closes no window earlier.
Rule 4: The watermark never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Protocol


class PassingTime(Protocol):
    """The time by which windows end."""

    def at(self, now: float) -> float:
        """Return the time when the clock is at `now`; both in seconds since 1970."""

    @property
    def last_progress_at(self) -> float:
        """When, by the clock, a partition last made progress; minus infinity: there are none."""

    def reaches(self, at: float) -> float | None:
        """Return when, by the clock, it reaches `at` without further progress; `None`: never."""

    def begins(self) -> float | None:
        """Return when, by the clock, it becomes known without further progress; `None`: never."""


class ClockTime:
    """The clock itself, for windows by arrival."""

    last_progress_at = -inf

    def at(self, now: float) -> float:
        """See `PassingTime`."""
        return now

    def reaches(self, at: float) -> float | None:
        """See `PassingTime`."""
        return at

    def begins(self) -> float | None:
        """See `PassingTime`; it is always known."""
        return None


class Watermark:
    """One event time for all keys, from the progress of each source partition."""

    def __init__(self, partitions: Iterable[str], idle_after: float) -> None:
        self._largest = dict.fromkeys(partitions, -inf)
        self._progress_at: dict[str, float] = {}
        self._idle_after = idle_after
        self._at, self._asked_at = -inf, -inf
        self.lag_before = inf
        """The `lag` of the process before; infinity: there was none. Rule 3."""

    @property
    def last_progress_at(self) -> float:
        """See `PassingTime`; it begins with the shard."""
        return max(self._progress_at.values(), default=-inf)

    @property
    def lag(self) -> float:
        """How far event time was behind the clock at the last progress; infinity: it is unknown."""
        largest = max(self._largest.values(), default=-inf)
        return self.last_progress_at - largest if largest > -inf else self.lag_before

    def note_progress(self, partition: str, at: float, now: float) -> None:
        """Note that a partition has reached the event time `at`; `now` is by the clock."""
        self.at(now)
        self._largest[partition] = max(at, self._largest.get(partition, -inf))
        self._progress_at[partition] = now

    def at(self, now: float) -> float:
        """See `PassingTime`."""
        for partition in self._largest:
            self._progress_at.setdefault(partition, now)  # Rule 2
        self._asked_at = now
        self._at = max(self._at, self._event_time_at(now))  # Rule 4
        return self._at

    def reaches(self, at: float) -> float | None:
        """See `PassingTime`."""
        if self._at >= at:
            return self._asked_at
        for silent_at in self._silences():
            if self._event_time_at(silent_at) >= at:
                return silent_at
        return None if self.lag == inf else at + self._idle_after + self.lag

    def begins(self) -> float | None:
        """See `PassingTime`."""
        return next((at for at in self._silences() if self._event_time_at(at) > -inf), None)

    def _silences(self) -> list[float]:
        """Return when each partition becomes idle, by the clock, in order."""
        return sorted(last + self._idle_after for last in self._progress_at.values())

    def _event_time_at(self, now: float) -> float:
        largest, after = self._largest, self._idle_after
        active = [largest[name] for name, last in self._progress_at.items() if last + after > now]
        if active:
            return min(active)  # Rule 1
        return now - self._idle_after - self.lag  # Rule 3
