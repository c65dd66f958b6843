"""Finds the offset at which `next` or `last` begins in a stream, before the consumer begins there.

RabbitMQ tells it only with the first message. A job that ends before that would begin anew, behind
the messages that have arrived meanwhile. So this reads the last messages of the stream, on a
channel of its own, and drops them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from connectors.message import Message
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.link import describe
from connectors.rabbitmq.stream_offsets import offset_of
from connectors.rabbitmq.wire import BatchConnection

LAST, NEXT = "last", "next"
"""Where a consumer may begin: with the last messages that were stored together, or behind them."""

PREFETCH = 2000
LOOK_AFTER = 0.2
"""Seconds between two looks at what has arrived; the last messages come within milliseconds."""
LONGEST = 2.0
"""Seconds after which a stream without a message counts as empty, and a busy one as read: what has
arrived until then came before the job begins."""


class StreamEnd:
    """Reads the last messages of one stream, on one connection."""

    def __init__(
        self, connection: BatchConnection, stream: str, disconnect: Callable[[str], None]
    ) -> None:
        """`disconnect` is called with the reason when the stream cannot be read now."""
        self._connection, self._stream, self._disconnect = connection, stream, disconnect
        self._first: int | None = None
        self._last: int | None = None

    def find(self, start: object, then: Callable[[int | None], object]) -> None:
        """Call `then` with the offset of `start`, `LAST` or `NEXT`; `None`: no message came."""

        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(self._on_close)
            channel.basic_qos(prefetch_count=PREFETCH, callback=lambda _: consume(channel))

        def consume(channel: Channel) -> None:
            def on_messages(messages: list[Message]) -> None:
                first, self._last = offset_of(messages[0]), offset_of(messages[-1])
                self._first = first if self._first is None else self._first
                channel.basic_ack(messages[-1].tag, multiple=True)

            began = time.monotonic()
            self._connection.consume_batches(
                channel,
                self._stream,
                on_messages,
                arguments={OFFSET: LAST},
                callback=lambda _: self._look_later(began, None, found),
            )

            def found() -> None:
                if channel.is_open:
                    channel.close()
                    then(self._first if start == LAST else self._next)

        self._connection.channel(on_open_callback=opened)

    @property
    def _next(self) -> int | None:
        return None if self._last is None else self._last + 1

    def _look_later(self, began: float, before: int | None, found: Callable[[], None]) -> None:
        """Call `found` when nothing has arrived since the look before this one."""

        def look() -> None:
            is_quiet = self._last is not None and self._last == before
            if is_quiet or time.monotonic() - began >= LONGEST:
                found()
            else:
                self._look_later(began, self._last, found)

        self._connection.ioloop.call_later(LOOK_AFTER, look)

    def _on_close(self, _channel: Channel, error: BaseException) -> None:
        if isinstance(error, ChannelClosedByBroker):
            self._disconnect(describe(error))
