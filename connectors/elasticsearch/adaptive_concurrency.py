"""Decides how many requests may be under way: fewer while Elasticsearch is overloaded or away.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Rule 1: Each sign of overload halves the number, each good answer raises it by a share of one, so
        that it grows by one in a round of requests (additive increase, multiplicative decrease,
        as TCP does it: RFC 5681).
Rule 2: A request that took much longer than others of its size is a weak sign: it takes away a
        tenth, once in a round.
Rule 3: A request that failed as a whole makes all pause. After the pause one request goes ahead;
        the others follow when it was answered.
"""

from __future__ import annotations

from connectors.retry import Backoff

SLOW = 2.0
"""Times the usual. A server with work for all its cores answers each of n requests n times as
late, and all of them no sooner: at twice the usual one request in two only waits."""

SLOW_SECONDS_LEAST = 0.1
"""A server that answers sooner is not overloaded; below it, chance is a large part of each time."""


class AdaptiveConcurrency:
    """Counts the requests that are under way, and says whether one more may start."""

    def __init__(self, concurrency: int, backoff: Backoff) -> None:
        self._limit, self._backoff = concurrency, backoff
        self._allowed = float(concurrency)
        self.under_way = 0
        """Requests that have started, and have not ended."""
        self._failures = 0
        self._left_of_round = 0
        """Answers to requests that were under way when a slow one was last answered."""
        self.resume_at = float("-inf")
        """End of the pause."""

    @property
    def full(self) -> bool:
        """None may start before another one has ended, however late it is."""
        allowed = 1 if self._failures else int(self._allowed)  # Rule 3
        return self.under_way >= allowed

    def allows(self, now: float) -> bool:
        """One more may start."""
        return not self.full and now >= self.resume_at

    def start(self) -> None:
        """A request starts; exactly one of the others ends it."""
        self.under_way += 1

    def succeed(self, slow: bool = False) -> None:
        """A request was worked on; `slow`: it took much longer than usual."""
        self.under_way -= 1
        self._failures = 0
        self._left_of_round -= 1
        if slow and self._left_of_round <= 0:
            self._left_of_round = int(self._allowed)
            self._allowed = max(1.0, self._allowed * 0.9)  # Rule 2
        elif not slow:
            self._allowed = min(self._limit, self._allowed + 1 / self._allowed)  # Rule 1

    def throttle(self) -> None:
        """A request was worked on, but parts of it were too much."""
        self.under_way -= 1
        self._failures = 0
        self._allowed = max(1.0, self._allowed / 2)  # Rule 1

    def fail(self, now: float, random: float) -> None:
        """A request failed as a whole; `random` is a number from 0 to 1 (see `Backoff`)."""
        self.under_way -= 1
        self._allowed = max(1.0, self._allowed / 2)
        # Several that were under way fail together; that is one failure.
        if now >= self.resume_at:
            self.resume_at = now + self._backoff.delay(self._failures, random)
            self._failures += 1


class Latency:
    """How long requests usually take, by their size."""

    def __init__(self) -> None:
        self._usual: dict[int, float] = {}

    def is_slow(self, size_bytes: int, seconds: float) -> bool:
        """Tell whether this one took much longer than the last ones of about its size."""
        size = size_bytes.bit_length()
        usual = self._usual.get(size, seconds)
        # The last sixteen or so: what is slow for longer is usual, and no reason to do ever less.
        self._usual[size] = usual + (seconds - usual) / 16
        return seconds > max(SLOW * usual, SLOW_SECONDS_LEAST)
