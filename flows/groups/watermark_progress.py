"""Finds where, among messages that arrived together, event time comes far enough to close a window.

Pure. A message behind that one may be late, as it would be if it had arrived a second later: so
what is late depends on the order of the messages alone, and not on how many arrive together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from flows.groups.rules import Tumbling
from flows.values.group import Member, Progress


class WatermarkGenerator:
    """How event time goes on, partition by partition."""

    def __init__(self, tumbling: Tumbling) -> None:
        self._tumbling = tumbling
        self._come_to: dict[str, float] = {}
        """The largest event time of each partition."""
        self._ahead: dict[str, int] = {}

    @property
    def ahead(self) -> int:
        """How many times were too far in the future to move anything."""
        return sum(self._ahead.copy().values())

    def of(
        self, partition: str, members: Sequence[Member], now: float
    ) -> Iterator[tuple[int, Progress]]:
        """Progress, and how many members come before it; `now` in seconds since 1970."""
        most = now + self._tumbling.ahead
        begin = largest = self._come_to.get(partition, -inf)
        told, ahead = self._closed_below(largest), 0
        for position, member in enumerate(members, start=1):
            at = member.at
            if at is None or not largest < at:
                continue
            if at > most:
                ahead += 1
                continue
            largest, closed = at, self._closed_below(at)
            if closed > told:
                told = closed
                yield position, Progress(partition, largest)
        if ahead:
            self._ahead[partition] = self._ahead.get(partition, 0) + ahead
        if members and (largest > begin or begin > -inf):
            self._come_to[partition] = largest
            yield len(members), Progress(partition, largest)

    def _closed_below(self, at: float) -> float:
        return self._tumbling.closed_below(at) if at > -inf else -inf
