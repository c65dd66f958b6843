"""Measures how old messages are when they are stored, by the time at which they were published.

Pure. It measures one message of each tenth of a second, since reading the envelope of each message
would cost more than the message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.message import Message, Properties
from connectors.rabbitmq.properties import decode

EVERY = 0.1
"""Seconds between two messages that are measured."""
MAX_WAITING = 1000
"""Measured messages without an outcome; beyond them, none is measured."""
PRECISE = "timestamp_in_ms"
"""A header in which RabbitMQ or the publisher notes the time in milliseconds since 1970; the
property `timestamp` counts whole seconds."""


class StoredAges:
    """The messages of one channel whose age is measured."""

    def __init__(self) -> None:
        self._published: dict[int, float] = {}  # by delivery tag, in seconds since 1970
        self._next_at = float("-inf")

    def delivered(self, message: Message, now: float) -> None:
        """Measure this message, if it is time and it says when it was published.

        `now`: in seconds of a clock that only goes forward.
        """
        if now < self._next_at or len(self._published) >= MAX_WAITING:
            return
        self._next_at = now + EVERY
        try:
            published = _published(decode(message))
        except ValueError:
            return
        if published is not None:
            self._published[message.tag] = published

    def stored(self, tags: Sequence[int], now: float) -> Iterator[float]:
        """Return the ages, in seconds, of the measured messages among these stored ones.

        `now`: in seconds since 1970. A clock that differs from the publisher's makes no age
        negative.
        """
        if not tags or not self._published:
            return
        is_run = tags[-1] - tags[0] + 1 == len(tags)
        for tag in list(self._published):
            if (tags[0] <= tag <= tags[-1]) if is_run else tag in tags:
                yield max(0.0, now - self._published.pop(tag))


def _published(properties: Properties) -> float | None:
    precise = (properties.headers or {}).get(PRECISE)
    if isinstance(precise, int) and not isinstance(precise, bool):
        return precise / 1000
    return None if properties.timestamp is None else float(properties.timestamp)
