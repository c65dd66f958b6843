"""A stream in memory: it keeps its messages, and marks none as redelivered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from connectors.memory.broker import MemoryQueue
from connectors.memory.delivery import PLAIN, Delivery
from connectors.message import Properties

OFFSET = "offset"
"""The header with the offset of a message."""


def offset_in(properties: Properties) -> int | None:
    """Return the offset of a message in its stream; `None`: it comes from a queue."""
    offset = (properties.headers or {}).get(OFFSET)
    return offset if isinstance(offset, int) else None


class MemoryStream(MemoryQueue):
    """A stream with one consumer."""

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        """See `MemoryQueue`."""
        super().__init__(numbers)
        self._made = 0
        self.lag = 0
        """Number of settled messages that a new connection reads again, as it does if the offset
        to continue at was not stored in time."""
        self.make_anew()

    def make_anew(self) -> None:
        """Delete the stream, and make another one of the same name; it begins at offset 0."""
        self._made += 1
        self.stream = f"{self._made}"
        self._log: list[Delivery] = []
        self.waiting.clear()
        self.cut()

    def publish(
        self, *bodies: bytes, properties: Properties = PLAIN, redelivered: bool = False
    ) -> None:
        """Append messages to the stream."""
        for body in bodies:
            headers = {**(properties.headers or {}), OFFSET: len(self._log)}
            super().publish(body, properties=properties._replace(headers=headers))
            self._log.append(self.waiting[-1])

    def take_back(self, held: Sequence[Delivery]) -> None:
        """Deliver again all messages from the oldest one without an outcome on."""
        following = [*held, *self.waiting]
        there = (self._log.index(one) for one in following if one in self._log)
        oldest = next(there, len(self._log))
        self.waiting = deque(self._log[max(0, oldest - self.lag) :])
