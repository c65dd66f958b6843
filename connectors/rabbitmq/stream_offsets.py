"""The offset at which to continue in a stream: all messages before it are stored or parked.

Pure. A stream keeps its messages, and an acknowledgement only allows the broker to send more. The
consumer must remember by itself how far it has read.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b

from connectors.message import Message, Properties
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.properties import header


class StreamOffsets:
    """The offsets of one channel, one for each batch: after a crash, a part of a batch repeats."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()  # last tag of a batch, and the next offset
        self._next: int | None = None
        self._taken: int | None = None

    def delivered(self, messages: list[Message]) -> None:
        """Enter a batch that has arrived."""
        if self._next is None:
            self._next = offset_of(messages[0])
        last = offset_of(messages[-1])
        if last is not None:
            self._marks.append((messages[-1].tag, last + 1))

    def take_next(self, open_tag: int | None) -> int | None:
        """Return the offset to continue at; `None`: unchanged.

        `open_tag`: delivery tag of the oldest open message, if there is one.
        """
        while self._marks and (open_tag is None or self._marks[0][0] < open_tag):
            self._next = self._marks.popleft()[1]
        if self._next == self._taken:
            return None
        self._taken = self._next
        return self._next


def identity(first: Message) -> str:
    """Return what tells a stream from another one of its name: the first message that was read.

    A stream that is made anew begins with another message. If the offset queue of a stream is
    deleted, the job begins at the same message, as long as the stream keeps it.
    """
    digest = blake2b(first.properties + first.body, digest_size=8)
    return f"{offset_of(first)}:{digest.hexdigest()}"


def offset_in(properties: Properties) -> int | None:
    """Return the offset of a message in its stream, by its decoded envelope."""
    offset = (properties.headers or {}).get(OFFSET)
    return offset if isinstance(offset, int) else None


def offset_of(message: Message) -> int | None:
    """Return the offset of a message in its stream; `None`: it comes from a queue."""
    offset = header(message.properties, OFFSET.encode())
    return offset if isinstance(offset, int) else None
