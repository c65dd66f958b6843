"""Finds the messages of a batch after which event time has advanced enough to close a window.

Pure. The messages behind such a message may be late, as if they had arrived a second later. So it
depends only on the order of messages which ones are late, not on how many arrive together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from flows.groups.rules import Tumbling
from flows.values.group import Member, Progress


class WatermarkGenerator:
    """The progress of event time, by source partition."""

    def __init__(self, tumbling: Tumbling) -> None:
        self._tumbling = tumbling
        self._largest: dict[str, float] = {}
        """The largest event time of each partition, in seconds since 1970."""
        self._ahead: dict[str, int] = {}

    @property
    def ahead(self) -> int:
        """Number of event times that were too far in the future to advance the watermark."""
        return sum(self._ahead.copy().values())

    def of(
        self, partition: str, members: Sequence[Member], now: float
    ) -> Iterator[tuple[int, Progress]]:
        """Yield each progress, and the number of members before it; `now` in seconds since 1970."""
        most = now + self._tumbling.ahead
        begin = largest = self._largest.get(partition, -inf)
        reported, ahead = self._closed_below(largest), 0
        for position, member in enumerate(members, start=1):
            at = member.at
            if at is None or not largest < at:
                continue
            if at > most:
                ahead += 1
                continue
            largest, closed = at, self._closed_below(at)
            if closed > reported:
                reported = closed
                yield position, Progress(partition, largest)
        if ahead:
            self._ahead[partition] = self._ahead.get(partition, 0) + ahead
        if members and (largest > begin or begin > -inf):
            self._largest[partition] = largest
            yield len(members), Progress(partition, largest)

    def _closed_below(self, at: float) -> float:
        return self._tumbling.closed_below(at) if at > -inf else -inf
