"""How far a stream is read: where a connection begins, and the offset that the next one needs.

Runs on the I/O thread of its consumer, and ends with the connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from connectors.message import Message
from connectors.rabbitmq.offset_queue import KeptOffset, LastOffset, OffsetQueue
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.stream_end import LAST, NEXT, StreamEnd
from connectors.rabbitmq.stream_offsets import StreamOffsets, identity
from connectors.rabbitmq.wire import BatchConnection

LOG = logging.getLogger("hopper.rabbitmq")

CHECK_AFTER = 30.0
"""Seconds without a message after which the offset is compared with the end of the stream."""


class StreamPosition:
    """The position of one connection in its stream."""

    def __init__(
        self,
        connection: BatchConnection,
        spec: RabbitMQSource,
        last: LastOffset,
        disconnect: Callable[[str], None],
        opened: Callable[[str], object],
    ) -> None:
        """`disconnect` is called with the reason when the connection must end.

        `opened` is called with the identity of the stream when the first messages arrive.
        """
        self._last, self._queue = last, OffsetQueue(connection, spec.offsets, last, disconnect)
        self._connection, self._spec, self._disconnect = connection, spec, disconnect
        self._offsets, self._start_offset = StreamOffsets(), spec.start_offset
        self._opened, self._is_open = opened, False
        self._stream: str | None = None  # see `StreamOpened`

    def begin(self, then: Callable[[object], None]) -> None:
        """Call `then` with the offset to begin at, once the broker keeps it."""

        def begin(kept: KeptOffset | None) -> None:
            if kept is not None:
                self._stream = kept.stream
                then(kept.offset)
                self._check_later(kept.offset)
            elif self._start_offset in (LAST, NEXT):
                end = StreamEnd(self._connection, self._spec.only_queue, self._disconnect)
                end.find(self._start_offset, first)
            else:
                then(self._start_offset)

        def first(offset: int | None) -> None:
            """Keep the offset; an empty stream is begun at its first message, whenever it comes."""
            self._last.kept = KeptOffset(offset or 0, None)
            self._queue.write()
            at = self._start_offset if offset is None else offset
            self._queue.when_confirmed(lambda: then(at))

        self._queue.begin(begin)

    def delivered(self, messages: list[Message]) -> None:
        """Enter a batch that has arrived; the next offset that is kept names the stream too."""
        self._offsets.delivered(messages)
        if not self._is_open:
            self._is_open = True
            self._stream = self._stream or identity(messages[0])
            self._opened(self._stream)
            self.keep(messages[0].tag)

    def keep(self, open_tag: int | None) -> None:
        """Write the offset to continue at; `open_tag`: of the oldest open message, if any."""
        if self.remember(open_tag):
            self._queue.write()
        else:
            self._queue.renew(time.monotonic())

    def remember(self, open_tag: int | None) -> bool:
        """Remember the offset to continue at for the next connection; return whether it is new."""
        offset = self._offsets.take_next(open_tag)
        if offset is not None:
            self._last.kept = KeptOffset(offset, self._stream)
        return offset is not None

    def end(self, then: Callable[[], object]) -> None:
        """Call `then` when the broker has the last offset; see `OffsetQueue`."""
        self._queue.end(then)

    def _check_later(self, begun_at: int) -> None:
        """Tell if the stream ends before the offset: it was made anew, and would never be read."""

        def check() -> None:
            if self._connection.is_open and not self._is_open:
                queue = self._spec.only_queue
                StreamEnd(self._connection, queue, lambda _: None).find(NEXT, compare)

        def compare(end: int | None) -> None:
            if end is not None and end < begun_at and not self._is_open:
                LOG.error(
                    'stream "%s" ends before offset %d, at which the job goes on: if it was made '
                    'anew, stop the job, delete queue "%s", and start the job again',
                    *(self._spec.only_queue, begun_at, self._spec.offsets),
                )
            if end is None or end < begun_at:
                self._check_later(begun_at)

        self._connection.ioloop.call_later(CHECK_AFTER, check)
