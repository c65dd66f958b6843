"""Decides when a consumer stops because too many messages are rejected, and when it tries again.

Pure: a circuit breaker. Closed, the consumer reads; open, it pauses; half-open, it reads a probe.

Rule 1: when the reject limit is reached, rejected messages are withheld: neither parked nor
        requeued. The breaker opens when they are more than all others that are stored or in flight,
        or after `MAX_WITHHOLDING`. If more are stored than withheld, it was a burst: park them.
Rule 2: after a pause it is half-open: few messages are read, see `SlowStart`.
Rule 3: the first message that is stored closes it.
Rule 4: the first message that the sink rejects opens it again, and so does one that is rejected
        before the sink once more than half of the probe is. That message is parked; all others are
        requeued.
Rule 5: each pause is twice as long as the one before; four times if the probe took more than one
        message, because a quorum queue counts the deliveries of each up to its limit.
Rule 6: pauses are short again when it was closed for `RESET_AFTER` seconds, or while
        `RESET_AFTER_STORED` times `of` messages were stored.
Rule 7: a message that is not parked yet when its connection is lost is counted once, although it
        is redelivered and rejected again. Such messages come first on the next connection, without
        the good ones that were read with them and are acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.rabbitmq.reject_limit import RejectCounter
from connectors.rabbitmq.spec import RejectLimit
from connectors.reject_pace import FIRST_PAUSE, MAX_PAUSE

MAX_PAUSE_OF_MANY = 3600.0
"""Seconds, if a probe takes more than one message."""
RESET_AFTER = 600.0
"""Seconds: twice the longest pause, so that pauses grow also where some messages are good."""
MAX_WITHHOLDING = 60.0
"""Seconds: so a mapping that refuses everything is found although long windows hold messages."""
RESET_AFTER_STORED = 10
"""Where half of the messages are bad, it opens long before."""


class CircuitBreaker:
    """The circuit breaker of one consumer."""

    def __init__(self, limit: RejectLimit | None) -> None:
        """Without a limit, the circuit breaker never opens."""
        self._counter = None if limit is None else RejectCounter(limit)
        self._reset_after_stored = 0 if limit is None else RESET_AFTER_STORED * limit.of
        self._closed_at, self._stored = float("-inf"), 0  # and how many were stored since
        self._read = self._rejected = 0  # messages of the probe
        self._counted = 0  # messages that are redelivered, but counted already
        self.pause = 0.0
        """Seconds of the last pause."""
        self.resume_at = 0.0
        """When an open circuit breaker becomes half-open."""
        self.is_open = self.is_half_open = self.is_withholding = False
        self._withholding_since, self._withheld, self._stored_since = 0.0, 0, 0

    def connected(self, now: float) -> None:
        """Note a new connection; its delivery tags count from 1."""
        if self._counter is not None:
            self._counter.connected()
        if self.is_withholding:
            self._stop_withholding()  # the broker redelivers all that was held
        self._read = self._rejected = 0
        if self.is_open and now >= self.resume_at:
            self.is_open, self.is_half_open = False, True  # Rule 2

    def lost(self, unparked: int) -> None:
        """Note a lost connection with so many rejected messages that were not parked yet."""
        if not (self.is_open or self.is_half_open or self.is_withholding):
            self._counted += unparked  # Rule 7

    def read(self, last_tag: int) -> None:
        """Note that messages up to this delivery tag have arrived."""
        self._read = last_tag
        if self._counter is not None:
            self._counter.read(last_tag)

    def stored(self, count: int, now: float) -> None:
        """Note that `count` messages, at least one, are stored."""
        if self.is_half_open:
            self.is_half_open, self._closed_at, self._stored = False, now, 0  # Rule 3
        self._stored += count
        self._stored_since += count
        self.passed()

    def passed(self) -> None:
        """Note an outcome that is no sign of a fault: dropped, or rejected as foreseen."""
        if self._counter is not None:
            self._counter.passed()

    def rejected(
        self,
        kind: str,
        tags: Sequence[int],
        by_sink: bool,
        now: float,
        *,
        redelivered: bool = False,
    ) -> bool:
        """Note that messages are rejected together; return whether to park them now."""
        if self.is_open:
            return False
        if self._counter is None:
            return True
        if self.is_half_open:
            self._rejected += len(tags)
            if by_sink or 2 * self._rejected > max(tags):  # Rule 4
                self.fail(now)
                return True
        if redelivered and self._counted:
            self._counted = max(0, self._counted - len(tags))
            return True
        self._counted = 0
        if not self.is_withholding and self._counter.rejected(kind, tags, now):
            self.is_withholding, self._withholding_since = True, now  # Rule 1
            self._withheld = self._stored_since = 0
        if self.is_withholding:
            self._withheld += len(tags)
        return not self.is_withholding

    def fail(self, now: float) -> None:
        """Open again: the probe has failed."""
        if self.is_half_open:
            self._open(now)

    def update(self, awaiting_outcome: int, now: float) -> None:
        """Decide by time and by the `awaiting_outcome` messages that have no outcome yet."""
        if self._counter is None or self.is_open or self.is_half_open:
            return
        if self.is_withholding:
            too_long = now - self._withholding_since >= MAX_WITHHOLDING
            if self._stored_since > self._withheld:
                self._stop_withholding()
            elif too_long or self._withheld > awaiting_outcome + self._stored_since:
                self._open(now)
        elif self._counter.is_all_rejected(awaiting_outcome, now):
            self._open(now)

    def _stop_withholding(self) -> None:
        self.is_withholding = False
        if self._counter is not None:
            self._counter.clear()

    def _open(self, now: float) -> None:
        many = self.is_half_open and self._read > 1
        steady = now - self._closed_at >= RESET_AFTER or self._stored >= self._reset_after_stored
        if not self.is_half_open and steady:
            self.pause = FIRST_PAUSE  # Rule 6
        elif many:
            self.pause = min(4 * self.pause, MAX_PAUSE_OF_MANY)  # Rule 5
        else:
            self.pause = min(2 * self.pause, max(MAX_PAUSE, self.pause))
        self.resume_at = now + self.pause
        self.is_open, self.is_half_open, self.is_withholding = True, False, False
        self._counted = 0
        if self._counter is not None:
            self._counter.clear()
