"""Tracks the current connection of a consumer: it alone decides which outcomes are stale.

Pure. One thread changes it; any thread may read it.
"""

from __future__ import annotations

from connectors.message import Origin


class CurrentOrigin:
    """The origin of the messages that a consumer receives; each connection is a new origin."""

    def __init__(self, consumer: str) -> None:
        self.latest = Origin(consumer, 0)
        """The origin of the current or the last connection; generation 0: there was none."""
        self._open: Origin | None = None

    def open(self) -> Origin:
        """Begin a new connection, and return its origin."""
        self.latest = self._open = self.latest._replace(generation=self.latest.generation + 1)
        return self.latest

    def lose(self) -> Origin:
        """Note that the connection is gone; return its origin."""
        self._open = None
        return self.latest

    def is_stale(self, origin: Origin) -> bool:
        """Return whether that connection is gone; then the broker has requeued its messages."""
        return origin != self._open
