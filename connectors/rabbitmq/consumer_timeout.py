"""Knows how long the oldest message is unacknowledged, and when that is too long.

Pure. RabbitMQ closes the channel of a consumer that leaves a message unacknowledged for longer than
its consumer timeout. The job requeues all messages before that: the effect is the same, but it
acknowledges finished messages first, and logs what happened.
"""

from __future__ import annotations

from collections import deque

RESOLUTION = 1.0
"""Seconds: all messages that arrive within this time count as old as the first of them."""
WARN_AT, REQUEUE_AT = 0.5, 0.9
"""Shares of the consumer timeout: of the default of 30 minutes, three are left to requeue."""


class DeliveryAges:
    """The times at which the messages of one channel arrived."""

    def __init__(self, timeout: float) -> None:
        """`timeout` is the broker's, in seconds."""
        self._timeout = timeout
        self._marks: deque[tuple[int, float]] = deque()  # the last tag of a second, and its time
        self._warned = False

    def delivered(self, last_tag: int, now: float) -> None:
        """Note that messages up to this delivery tag have arrived."""
        if self._marks and now - self._marks[-1][1] < RESOLUTION:
            self._marks[-1] = last_tag, self._marks[-1][1]
        else:
            self._marks.append((last_tag, now))

    def oldest(self, open_tag: int | None, now: float) -> float:
        """Return the age in seconds of the oldest open message, by its tag; 0 without one."""
        while self._marks and (open_tag is None or self._marks[0][0] < open_tag):
            self._marks.popleft()
        return now - self._marks[0][1] if self._marks else 0.0

    def is_overdue(self, age: float) -> bool:
        """Return whether the job must requeue all messages now, before the broker does."""
        return age >= REQUEUE_AT * self._timeout

    def is_worth_a_warning(self, age: float) -> bool:
        """Return whether half of the timeout is over; true only once, until the age falls."""
        before, self._warned = self._warned, age >= WARN_AT * self._timeout
        return self._warned and not before
