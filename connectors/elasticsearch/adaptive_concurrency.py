"""Decides how many requests may be in flight: fewer while Elasticsearch is overloaded or down.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Rule 1: A sign of overload halves the number. A good answer raises it by the inverse of the number,
        so it grows by one with each round of requests (additive increase, multiplicative decrease,
        as in TCP: RFC 5681).
Rule 2: A request that took much longer than others of its size is a weak sign of overload: it
        lowers the number by a tenth, at most once a round.
Rule 3: After a request that failed as a whole, all requests pause. Then one request goes ahead;
        the others follow when it has an answer.
"""

from __future__ import annotations

from connectors.retry import Backoff

SLOW = 2.0
"""Times the usual latency. A server with all cores busy takes n times as long for each of n
requests: at twice the usual latency, every second request only waits in its queue."""

MIN_SLOW_SECONDS = 0.1
"""Seconds: a server that answers sooner is not overloaded; shorter latencies vary by chance."""


class AdaptiveConcurrency:
    """Counts the requests in flight, and decides whether one more may start."""

    def __init__(self, concurrency: int, backoff: Backoff) -> None:
        self._limit, self._backoff = concurrency, backoff
        self._allowed = float(concurrency)
        self.in_flight = 0
        """Requests in flight."""
        self._failures = 0
        self._answers_left_of_round = 0
        """Requests of the current round (rule 2) that have no answer yet."""
        self.resume_at = float("-inf")
        """When the pause ends."""

    @property
    def allowed(self) -> int:
        """Requests that may be in flight at a time."""
        return 1 if self._failures else int(self._allowed)  # Rule 3

    @property
    def full(self) -> bool:
        """No request may start before another one ends, at any time."""
        return self.in_flight >= self.allowed

    def allows(self, now: float) -> bool:
        """Return whether one more request may start."""
        return not self.full and now >= self.resume_at

    def start(self) -> None:
        """Note that a request starts; one call of `succeed`, `throttle` or `fail` ends it."""
        self.in_flight += 1

    def succeed(self, slow: bool = False) -> None:
        """Note that a request was processed; `slow`: it took much longer than usual."""
        self.in_flight -= 1
        self._failures = 0
        self._answers_left_of_round -= 1
        if slow and self._answers_left_of_round <= 0:
            self._answers_left_of_round = int(self._allowed)
            self._allowed = max(1.0, self._allowed * 0.9)  # Rule 2
        elif not slow:
            self._allowed = min(self._limit, self._allowed + 1 / self._allowed)  # Rule 1

    def throttle(self) -> None:
        """Note that a request was processed, but most of its documents were throttled."""
        self.in_flight -= 1
        self._failures = 0
        self._allowed = max(1.0, self._allowed / 2)  # Rule 1

    def fail(self, now: float, random: float) -> None:
        """Note that a request failed as a whole; `random` is from 0 to 1 (see `Backoff`)."""
        self.in_flight -= 1
        self._allowed = max(1.0, self._allowed / 2)
        # Several requests in flight fail together: they count as one failure.
        if now >= self.resume_at:
            self.resume_at = now + self._backoff.delay(self._failures, random)
            self._failures += 1


class Latency:
    """The usual latency of requests, by their size."""

    def __init__(self) -> None:
        self._usual: dict[int, float] = {}

    def is_slow(self, size_bytes: int, seconds: float) -> bool:
        """Return whether this request took much longer than the last ones of about its size."""
        size = size_bytes.bit_length()
        usual = self._usual.get(size, seconds)
        # The mean of about the last sixteen: a server that stays slow becomes the usual, so the
        # number of requests does not fall for ever.
        self._usual[size] = usual + (seconds - usual) / 16
        return seconds > max(SLOW * usual, MIN_SLOW_SECONDS)
