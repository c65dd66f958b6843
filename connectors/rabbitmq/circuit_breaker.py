"""Decides when a consumer stops since too much is rejected, and when it tries again.

Pure: a circuit breaker. Closed, it reads; open, it pauses; half-open, it reads as a probe.

Rule 1: when `reject_limit.py` says so, it is suspicious: what is rejected is withheld, neither
        parked nor requeued. It opens when that is more than all else that is held can make good,
        or after `MAX_SUSPICION`; when more is stored than withheld, it was a burst among good ones.
Rule 2: after a pause it is half-open: few messages are let in, see `Caution`.
Rule 3: the first message that is stored closes it.
Rule 4: the first one that the sink rejects opens it again, and so does one that is rejected before,
        as long as half of those up to it are not. That one is parked; all others go back.
Rule 5: each pause is twice as long as the one before; four times where the probe took more than
        one message: a quorum queue counts how often each is delivered, up to a limit.
Rule 6: pauses begin anew when it has been closed for `STEADY` seconds, or for `STEADY_STORED`
        times `of` messages that were stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.rabbitmq.reject_limit import RejectCounter
from connectors.rabbitmq.spec import RejectLimit

FIRST_PAUSE = 1.0
"""Seconds."""
MAX_PAUSE = 300.0
"""Seconds: a probe parks one message, so that is less than 300 a day."""
MAX_PAUSE_OF_MANY = 3600.0
"""Seconds, where a probe takes more than one message."""
STEADY = 600.0
"""Seconds: twice the longest pause, so that pauses grow also where some messages are good."""
MAX_SUSPICION = 60.0
"""Seconds: a mapping that refuses everything is told although long windows hold much."""
STEADY_STORED = 10
"""Where half of the messages are bad, it opens long before."""


class CircuitBreaker:
    """Of one consumer."""

    def __init__(self, limit: RejectLimit | None) -> None:
        """Without a limit it never opens."""
        self._counter = None if limit is None else RejectCounter(limit)
        self._steady_stored = 0 if limit is None else STEADY_STORED * limit.of
        self._closed_at, self._stored = float("-inf"), 0  # and how many were stored since
        self._read = self._rejected = 0  # by the probe
        self.pause = 0.0
        """Seconds of the last pause."""
        self.resume_at = 0.0
        """When it will be half-open, if it is open."""
        self.is_open = self.is_half_open = self.is_suspicious = False
        self._suspects_since, self._withheld, self._stored_meanwhile = 0.0, 0, 0

    def connected(self, now: float) -> None:
        """A new connection; its tags count from 1."""
        if self._counter is not None:
            self._counter.connected()
        if self.is_suspicious:
            self._trust()  # all that was held comes again
        self._read = self._rejected = 0
        if self.is_open and now >= self.resume_at:
            self.is_open, self.is_half_open = False, True  # Rule 2

    def read(self, last_tag: int) -> None:
        """Messages up to this tag have arrived."""
        self._read = last_tag
        if self._counter is not None:
            self._counter.read(last_tag)

    def stored(self, count: int, now: float) -> None:
        """At least one message is stored."""
        if self.is_half_open:
            self.is_half_open, self._closed_at, self._stored = False, now, 0  # Rule 3
        self._stored += count
        self._stored_meanwhile += count
        self.passed()

    def passed(self) -> None:
        """At least one message has an outcome that tells of no fault, nor that there is none."""
        if self._counter is not None:
            self._counter.passed()

    def rejected(self, kind: str, tags: Sequence[int], by_sink: bool, now: float) -> bool:
        """Messages are rejected together; return whether they are to be parked now."""
        if self.is_open:
            return False
        if self._counter is None:
            return True
        if self.is_half_open:
            self._rejected += len(tags)
            if by_sink or 2 * self._rejected > max(tags):  # Rule 4
                self.fail(now)
                return True
        if not self.is_suspicious and self._counter.rejected(kind, tags, now):
            self.is_suspicious, self._suspects_since = True, now  # Rule 1
            self._withheld = self._stored_meanwhile = 0
        if self.is_suspicious:
            self._withheld += len(tags)
        return not self.is_suspicious

    def fail(self, now: float) -> None:
        """The probe has come to nothing."""
        if self.is_half_open:
            self._open(now)

    def update(self, awaiting_outcome: int, now: float) -> None:
        """See what only the others show, or time; `awaiting_outcome` messages are in flight."""
        if self._counter is None or self.is_open or self.is_half_open:
            return
        if self.is_suspicious:
            too_long = now - self._suspects_since >= MAX_SUSPICION
            if self._stored_meanwhile > self._withheld:
                self._trust()
            elif too_long or self._withheld > awaiting_outcome + self._stored_meanwhile:
                self._open(now)
        elif self._counter.stands_still(awaiting_outcome, now):
            self._open(now)

    def _trust(self) -> None:
        self.is_suspicious = False
        if self._counter is not None:
            self._counter.clear()

    def _open(self, now: float) -> None:
        many = self.is_half_open and self._read > 1
        steady = now - self._closed_at >= STEADY or self._stored >= self._steady_stored
        if not self.is_half_open and steady:
            self.pause = FIRST_PAUSE  # Rule 6
        elif many:
            self.pause = min(4 * self.pause, MAX_PAUSE_OF_MANY)  # Rule 5
        else:
            self.pause = min(2 * self.pause, max(MAX_PAUSE, self.pause))
        self.resume_at = now + self.pause
        self.is_open, self.is_half_open, self.is_suspicious = True, False, False
        if self._counter is not None:
            self._counter.clear()
