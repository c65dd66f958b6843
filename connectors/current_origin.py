"""Which connection a consumer has now: what decides whether outcomes are stale, for all who ask.

Pure. One thread changes it; any thread may ask.
"""

from __future__ import annotations

from connectors.message import Origin


class CurrentOrigin:
    """The origin of what a consumer receives; each connection is a new one."""

    def __init__(self, consumer: str) -> None:
        self.latest = Origin(consumer, 0)
        """Of the connection that is open, or was open last; generation 0: there was none."""
        self._open: Origin | None = None

    def open(self) -> Origin:
        """Begin a new connection, and return its origin."""
        self.latest = self._open = self.latest._replace(generation=self.latest.generation + 1)
        return self.latest

    def lose(self) -> Origin:
        """The connection is gone; return its origin."""
        self._open = None
        return self.latest

    def is_stale(self, origin: Origin) -> bool:
        """Whether that connection is gone: the broker has requeued what it delivered there."""
        return origin != self._open
