"""Keeps the latest dead letters of a consumer, for the status of a process.

Pure. One thread notes them, and any thread may read them. The memory that they take is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from connectors.message import Rejected

KEPT = 20
"""Dead letters that are kept for each consumer."""
REASON_KEPT = 500
"""Characters that are kept of a reason."""
BODY_KEPT = 500
"""Bytes that are kept of a body."""


class LatestDeadLetter(NamedTuple):
    """A message that was parked, or left to the dead lettering of its queue."""

    at: float
    """In seconds since 1970."""
    consumer: str
    reason: str
    """The first `REASON_KEPT` characters."""
    messages: int
    """Messages that were settled with it: more than one for a summary."""
    body: bytes
    """The first `BODY_KEPT` bytes."""


class LatestDeadLetters:
    """The latest dead letters of one consumer."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._kept: deque[LatestDeadLetter] = deque(maxlen=KEPT)

    def note(self, rejected: Rejected, at: float) -> None:
        """Keep a rejected message; the oldest one makes room for it."""
        reason, body = rejected.rejection.reason[:REASON_KEPT], rejected.message.body[:BODY_KEPT]
        messages = 1 + len(rejected.others)
        self._kept.append(LatestDeadLetter(at, self._consumer, reason, messages, bytes(body)))

    def __call__(self) -> list[LatestDeadLetter]:
        """Return them, the oldest first."""
        return [*self._kept.copy()]


def together(of_consumers: Iterable[LatestDeadLetters]) -> list[LatestDeadLetter]:
    """Return the latest dead letters of several consumers, the latest first."""
    return sorted((one for latest in of_consumers for one in latest()), reverse=True)[:KEPT]
