"""Where to go on in a stream: up to which offset everything is stored or parked.

Pure. A stream keeps its messages, so an acknowledgement says nothing there but that there is room
for more; what has been read, a consumer must remember by itself.
"""

from __future__ import annotations

from collections import deque

from connectors.message import Message
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.properties import header


class StreamOffsets:
    """Of the messages of one channel: exact to the batch, so a crash repeats some messages."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()  # last tag of a batch, and what follows it
        self._next: int | None = None
        self._taken: int | None = None

    def delivered(self, messages: list[Message]) -> None:
        """Enter a batch."""
        if self._next is None:
            self._next = offset_of(messages[0])
        last = offset_of(messages[-1])
        if last is not None:
            self._marks.append((messages[-1].tag, last + 1))

    def take_next(self, open_tag: int | None) -> int | None:
        """Where to go on, if that has changed; `open_tag` is the oldest message that is open."""
        while self._marks and (open_tag is None or self._marks[0][0] < open_tag):
            self._next = self._marks.popleft()[1]
        if self._next == self._taken:
            return None
        self._taken = self._next
        return self._next


def offset_of(message: Message) -> int | None:
    """Where in its stream a message is; `None`: it is in none."""
    offset = header(message.properties, OFFSET.encode())
    return offset if isinstance(offset, int) else None
