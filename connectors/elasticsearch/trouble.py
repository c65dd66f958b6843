"""Decides when trouble is worth a line in the log: at once, then seldom, and when it is over.

Pure: `now` is an argument, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

EVERY = 10.0
"""Seconds between two lines: often enough to see that it goes on, seldom enough to read."""


class Trouble:
    """The failures of one service, as a whole."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said_at = float("-inf")

    def begins_or_goes_on(self, now: float) -> float | None:
        """Something failed; for how many seconds now, if that should be said."""
        if self._since is None:
            self._since = now
        if now < self._said_at + EVERY:
            return None
        self._said_at = now
        return now - self._since

    def ends(self, now: float) -> float | None:
        """Something worked; how many seconds the trouble lasted, if any was spoken of."""
        since, self._since = self._since, None
        return None if since is None or self._said_at < since else now - since
