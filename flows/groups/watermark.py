"""How far event time has come: what tells whether an aligned window is over.

Pure. It knows partitions by name and no messages.

Rule 1: Stream time is the smallest of the partitions' largest event times.
Rule 2: A partition that has been silent for `idle_after` is left out. One that was never heard of
        is silent since the shard began: until then it holds back, since much may come from it.
Rule 3: When all are silent, the largest of their times counts, since none is waited for, and from
        then on the clock moves stream time.
Rule 4: Stream time never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Protocol


class PassingTime(Protocol):
    """By which windows end."""

    def at(self, now: float) -> float:
        """How far it has come."""

    @property
    def last_progress_at(self) -> float:
        """When, by the clock, something was heard; minus infinity: nothing moves it."""

    def reaches(self, at: float) -> float | None:
        """When, by the clock, it will have come that far if nothing is heard any more."""

    def begins(self) -> float | None:
        """When, by the clock, it becomes known if nothing is heard any more."""


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
        """See `PassingTime`; it always was."""
        return None


class Watermark:
    """One time for all keys, made of how far each source partition has come."""

    def __init__(self, partitions: Iterable[str], idle_after: float) -> None:
        self._largest = dict.fromkeys(partitions, -inf)
        self._heard: dict[str, float] = {}
        self._idle_after = idle_after
        self._at, self._asked_at = -inf, -inf

    @property
    def last_progress_at(self) -> float:
        """See `PassingTime`; it begins with the shard."""
        return max(self._heard.values(), default=-inf)

    def heard(self, partition: str, at: float, now: float) -> None:
        """A partition has come to the event time `at`."""
        self.at(now)
        self._largest[partition] = max(at, self._largest.get(partition, -inf))
        self._heard[partition] = now

    def at(self, now: float) -> float:
        """See `PassingTime`."""
        for partition in self._largest:
            self._heard.setdefault(partition, now)  # Rule 2
        self._asked_at = now
        self._at = max(self._at, self._come_to(now))  # Rule 4
        return self._at

    def reaches(self, at: float) -> float | None:
        """See `PassingTime`."""
        if self._at >= at:
            return self._asked_at
        for silent_at in self._silences():
            if self._come_to(silent_at) >= at:
                return silent_at
        largest = max(self._largest.values(), default=-inf)
        return None if largest == -inf else self._silent_at + at - largest

    def begins(self) -> float | None:
        """See `PassingTime`."""
        return next((at for at in self._silences() if self._come_to(at) > -inf), None)

    def _silences(self) -> list[float]:
        """When each partition will have been silent for too long."""
        return sorted(heard + self._idle_after for heard in self._heard.values())

    @property
    def _silent_at(self) -> float:
        return self.last_progress_at + self._idle_after

    def _come_to(self, now: float) -> float:
        largest, after = self._largest, self._idle_after
        speaking = [largest[name] for name, heard in self._heard.items() if heard + after > now]
        if speaking:
            return min(speaking)  # Rule 1
        # Rule 3
        return max(largest.values()) + now - self._silent_at if largest else -inf
