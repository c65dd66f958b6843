"""Decides how many requests may be under way: fewer while Elasticsearch is overloaded or away.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Rule 1: Each sign of overload halves the number, each good answer raises it by a share of one, so
        that it grows by one in a round of requests (additive increase, multiplicative decrease,
        as TCP does it: RFC 5681).
Rule 2: A request that failed as a whole makes all pause. After the pause one request goes ahead;
        the others follow when it was answered.
"""

from __future__ import annotations

from connectors.retry import Backoff


class Pace:
    """Counts the requests that are under way, and says whether one more may start."""

    def __init__(self, concurrency: int, backoff: Backoff) -> None:
        self._limit, self._backoff = concurrency, backoff
        self._allowed = float(concurrency)
        self._under_way = 0
        self._failures = 0
        self.resume_at = float("-inf")
        """End of the pause."""

    @property
    def full(self) -> bool:
        """None may start before another one has ended, however late it is."""
        allowed = 1 if self._failures else int(self._allowed)  # Rule 2
        return self._under_way >= allowed

    def allows(self, now: float) -> bool:
        """One more may start."""
        return not self.full and now >= self.resume_at

    def start(self) -> None:
        """A request starts; exactly one of the others ends it."""
        self._under_way += 1

    def succeed(self) -> None:
        """A request was worked on."""
        self._under_way -= 1
        self._failures = 0
        self._allowed = min(self._limit, self._allowed + 1 / self._allowed)  # Rule 1

    def throttle(self) -> None:
        """A request was worked on, but parts of it were too much."""
        self._under_way -= 1
        self._failures = 0
        self._allowed = max(1.0, self._allowed / 2)  # Rule 1

    def fail(self, now: float, random: float) -> None:
        """A request failed as a whole; `random` is a number from 0 to 1 (see `Backoff`)."""
        self._under_way -= 1
        self._allowed = max(1.0, self._allowed / 2)
        # Several that were under way fail together; that is one failure.
        if now >= self.resume_at:
            self.resume_at = now + self._backoff.delay(self._failures, random)
            self._failures += 1
