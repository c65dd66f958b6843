"""Aligned windows by the clock of a time zone: days that begin at local midnight, for example.

Pure. It names a window by its start, in microseconds since 1970, and computes the starts around a
day of UTC once: a message costs one look-up and a binary search.

Rule 1: A window begins when the local clock first shows a whole multiple of `every`, counted from
        midnight of a Monday. So a window of several days or weeks begins at a midnight, and one of
        seven days at that of a Monday.
Rule 2: Where the clock is put forward over such a time, the window begins at that moment.
Rule 3: Where the clock is put back over such a time, the window is longer. But if the time that
        comes twice is a whole number of windows, each of them comes twice too: so two windows of an
        hour begin at 02:00, and none lasts two hours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000
"""Microseconds; no local clock differs as much from UTC."""
CACHED_DAYS = 1024
"""Days of UTC whose windows are kept: a few kilobytes each for windows of 15 minutes."""


class ZoneWindows:
    """The windows of a length, in microseconds, by the clock of a time zone."""

    def __init__(self, zone: str, every: int) -> None:
        self._zone, self._every = ZoneInfo(zone), every
        self._starts = lru_cache(CACHED_DAYS)(self._starts_around)

    def window_at(self, moment: int) -> int:
        """Return the window that a moment belongs to, in microseconds since 1970."""
        starts = self._starts(moment // DAY)
        return starts[bisect_right(starts, moment) - 1]

    def end(self, window: int) -> int:
        """Return the end of a window, which is the start of the next one."""
        starts = self._starts(window // DAY)
        return starts[bisect_right(starts, window)]

    def _starts_around(self, day: int) -> list[int]:
        """Return the starts within a day of UTC, and at least one before and one after it."""
        first = ((day - 1) * DAY - _MONDAY) // self._every
        last = -(-((day + 2) * DAY - _MONDAY) // self._every)
        clocks = (_MONDAY + number * self._every for number in range(first, last + 1))
        return sorted({start for clock in clocks for start in self._starts_at(clock)})

    def _starts_at(self, clock: int) -> Iterator[int]:
        """Return the starts of windows that begin when the local clock shows this."""
        if not _FIRST <= clock < _END:
            yield clock  # no datetime has such a local time: there, windows go by UTC
            return
        local = _EPOCH + timedelta(microseconds=clock)
        before, after = (self._offset(local.replace(fold=fold)) for fold in (0, 1))
        if before < after:
            yield self._change_between(clock - after, clock - before)  # Rule 2
            return
        yield clock - before
        if before > after and not (before - after) % self._every:  # Rule 3
            yield clock - after

    def _change_between(self, early: int, late: int) -> int:
        """Return the first moment after `early`, until `late`, with another offset than `early`."""
        before = self._offset_at(early)
        while late - early > 1:
            middle = (early + late) // 2
            if self._offset_at(middle) == before:
                early = middle
            else:
                late = middle
        return late

    def _offset_at(self, moment: int) -> int:
        at = _EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=moment)
        return self._offset(at.astimezone(self._zone))

    def _offset(self, local: datetime) -> int:
        """Return how far the local clock is ahead of UTC, in microseconds."""
        offset = self._zone.utcoffset(local)
        assert offset is not None
        return offset // MICROSECOND


_EPOCH = datetime(1970, 1, 1)
_MONDAY = (datetime(1969, 12, 29) - _EPOCH) // MICROSECOND
_FIRST, _END = (
    (moment - _EPOCH) // MICROSECOND for moment in (datetime(1, 1, 4), datetime(9999, 12, 29))
)
"""Local times that stay in the range of `datetime` in UTC too."""
