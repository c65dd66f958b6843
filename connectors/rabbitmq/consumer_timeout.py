"""Knows how long the oldest message has waited, and when that is too long.

Pure. RabbitMQ closes the channel of a consumer that leaves a message unacknowledged for longer than
its consumer timeout. To hand everything back before that has the same effect, at a moment of ours:
what is finished is acknowledged first, and the log says what happened.
"""

from __future__ import annotations

from collections import deque

RESOLUTION = 1.0
"""Seconds: messages that arrive within them count as old as the first of them."""
WARN_AT, HAND_BACK_AT = 0.5, 0.9
"""Parts of the consumer timeout: of the default of 30 minutes, the last three are for us."""


class DeliveryAges:
    """When the messages of one channel arrived."""

    def __init__(self, timeout: float) -> None:
        """`timeout` is the broker's, in seconds."""
        self._timeout = timeout
        self._marks: deque[tuple[int, float]] = deque()  # the last tag that arrived since a time
        self._warned = False

    def delivered(self, last_tag: int, now: float) -> None:
        """Messages have arrived, up to this tag."""
        if self._marks and now - self._marks[-1][1] < RESOLUTION:
            self._marks[-1] = last_tag, self._marks[-1][1]
        else:
            self._marks.append((last_tag, now))

    def oldest(self, open_tag: int | None, now: float) -> float:
        """Seconds since the message of this tag arrived, the oldest that is open, if any is."""
        while self._marks and (open_tag is None or self._marks[0][0] < open_tag):
            self._marks.popleft()
        return now - self._marks[0][1] if self._marks else 0.0

    def is_overdue(self, age: float) -> bool:
        """Everything must be handed back now, before the broker takes it."""
        return age >= HAND_BACK_AT * self._timeout

    def is_worth_a_warning(self, age: float) -> bool:
        """Half of the time is over; true once, until something moves again."""
        before, self._warned = self._warned, age >= WARN_AT * self._timeout
        return self._warned and not before
