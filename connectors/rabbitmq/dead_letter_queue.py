"""Reads the messages of a dead-letter queue once, and requeues those that it does not remove.

It consumes them, because that works on every type of queue. If the process ends in the middle, the
broker requeues all messages that are not acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from types import MappingProxyType
from typing import Any, Protocol

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker, ChannelClosedByClient

from connectors.message import Message
from connectors.rabbitmq import refusal, topology
from connectors.rabbitmq.dead_letter_record import DeadLetter, read
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.link import describe
from connectors.rabbitmq.visit import Visit
from connectors.rabbitmq.wire import BatchConnection

QUIET = 1.0
"""Seconds without a message after which the pass ends: another consumer may have some of the
messages that the broker counted, and it does not count those of a stream."""
PATIENCE = 30.0
"""Seconds to wait for progress while the handler is busy."""
MAX_HELD = 65535
"""The largest number of unacknowledged messages: the maximum of AMQP's `basic.qos`. If so many stay
in the queue, the pass does not reach those behind them."""
MAX_HELD_OF_A_STREAM = 1000
"""The same for a stream: an acknowledgement lets more arrive, and removes nothing."""
CHECK_EVERY = 0.1
"""Seconds between two checks whether the pass is over."""

FROM_THE_FIRST: Mapping[str, Any] = MappingProxyType({OFFSET: "first"})


class Handler(Protocol):
    """Handles the messages of a pass, on the thread that waits for its end."""

    def begin(self, queue: DeadLetterQueue) -> None:
        """Prepare; `queue.consume` begins the pass."""

    def take(self, queue: DeadLetterQueue, letters: Sequence[DeadLetter]) -> None:
        """Handle messages, in the order of the queue."""

    @property
    def busy(self) -> bool:
        """Something is in flight, so the pass must not end yet."""

    def end(self, on_ended: Callable[[], None]) -> None:
        """Release everything, then call `on_ended`."""


class DeadLetterQueue:
    """One pass over a queue."""

    def __init__(
        self, urls: Sequence[str], queue: str, limit: int | None, name: str = "hopper dead-letters"
    ) -> None:
        """`limit`: the most messages to read; `None`: all that are in the queue at the start.

        `name`: for the broker's list of connections.
        """
        there = [topology.exists(queue, refusal.BROWSE)]
        self.visit = Visit(urls, name, there)
        self._queue, self._limit = queue, limit
        self._connection: BatchConnection | None = None
        self._channel: Channel | None = None
        self._tag: str | None = None
        self._handler: Handler | None = None
        self._active, self._ending = time.monotonic(), False
        self._counted_messages, self._most, self._prefetch = 0, inf, 0
        self.ready: int | None = None
        """Number of ready messages at the start of the pass; `None`: unknown, for a stream."""
        self.is_stream = False
        self.browsed = 0
        """Number of messages read."""

    def go_over(self, handler: Handler) -> None:
        """Pass each message to the handler, and wait until it has handled all of them.

        Raises:
            Unavailable: the broker is unreachable or refuses, or the connection is lost.
        """
        self._handler = handler
        self.visit.make(self._connected)

    def consume(self) -> None:
        """Begin to read; the handler calls it when it is ready."""
        assert self._channel is not None
        self._channel.queue_declare(self._queue, passive=True, callback=self._counted)

    def acknowledge(self, letter: DeadLetter) -> None:
        """Remove a message from the queue; a stream keeps it."""
        assert self._channel is not None
        if not self.is_stream:
            self._channel.basic_ack(letter.message.tag)

    def after_acknowledgements(self, then: Callable[[], None]) -> None:
        """Call `then` when the broker has processed all acknowledgements that were sent.

        Until then, the end of this process may undo them: when a connection breaks, the broker
        discards what it has not read. It answers the methods of a channel in their order, so its
        next answer shows that it has read them. (A quorum queue may still lose some that wait for
        Raft.) At the end of the pass, `then` is not called.
        """
        assert self._channel is not None
        if not self._ending:
            self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: then())

    def stop(self) -> None:
        """Read no more."""
        if self._tag is not None and self._channel is not None and self._channel.is_open:
            tag, self._tag = self._tag, None
            self._channel.basic_cancel(tag, callback=lambda _: self.check())

    def check(self) -> None:
        """End the pass if all is done; called periodically, and whenever something ends."""
        if self._ending or self._handler is None:
            return
        idle = time.monotonic() - self._active
        if self._tag is not None:
            if idle > QUIET and not self._handler.busy:
                self.stop()
        elif not self._handler.busy:
            self._end()
        if idle > PATIENCE and self._handler.busy:
            self.visit.fail(
                f"{self.visit.address}: the broker has confirmed nothing for {idle:.0f} s"
            )

    def progress(self) -> None:
        """Note that the handler has made progress."""
        self._active = time.monotonic()
        self.check()

    def _connected(self, connection: BatchConnection, channel: Channel) -> None:
        self._connection, self._channel = connection, channel
        assert self._handler is not None
        self._handler.begin(self)

    def _counted(self, answer: Any) -> None:
        self._counted_messages = answer.method.message_count
        self._open(FROM_THE_FIRST)

    def _open(self, arguments: Mapping[str, Any]) -> None:
        assert self._connection is not None
        self._connection.channel(on_open_callback=partial(self._opened, arguments))

    def _opened(self, arguments: Mapping[str, Any], channel: Channel) -> None:
        """Consume it as a stream first: other queues refuse the argument, and deliver nothing."""
        self._channel = channel
        channel.add_on_close_callback(partial(self._closed, arguments))
        bounds = [self._limit, None if arguments else self._counted_messages]
        self._most = min((bound for bound in bounds if bound is not None), default=inf)
        if self._most == 0:
            self._end()
            return
        self._prefetch = int(min(self._most, MAX_HELD_OF_A_STREAM if arguments else MAX_HELD))
        channel.basic_qos(
            prefetch_count=self._prefetch, callback=lambda _: self._begin(channel, arguments)
        )

    def _begin(self, channel: Channel, arguments: Mapping[str, Any]) -> None:
        assert self._connection is not None
        self._tag = self._connection.consume_batches(
            *(channel, self._queue, self._on_messages),
            arguments=arguments,
            callback=lambda _: self._agreed(bool(arguments)),
        )

    def _agreed(self, is_stream: bool) -> None:
        self.is_stream = is_stream
        self.ready = None if is_stream else self._counted_messages
        self._active = time.monotonic()
        self._go_on()

    def _go_on(self) -> None:
        self.check()
        if not self._ending:
            self.visit.loop.call_later(CHECK_EVERY, self._go_on)

    def _on_messages(self, messages: list[Message]) -> None:
        """Pass messages on; those beyond the limit are requeued at the end."""
        assert self._handler is not None
        assert self._channel is not None
        self._active = time.monotonic()
        wanted = messages[: int(min(self._most - self.browsed, len(messages)))]
        if self._tag is None or not wanted:
            return
        letters = [read(message) for message in wanted]
        # The pass acknowledges everything in a stream: in another queue, that would lose messages.
        assert letters[0].is_of_stream or not self.is_stream, (
            "not a stream, but takes its arguments"
        )
        self.browsed += len(wanted)
        self._handler.take(self, letters)
        if self.is_stream:  # removes nothing, and lets more arrive
            self._channel.basic_ack(messages[-1].tag, multiple=True)
        if self.browsed >= self._most:
            self.stop()
        self.check()

    def _end(self) -> None:
        """Requeue the messages that were not acknowledged, in their order; then leave."""
        assert self._channel is not None
        self._ending = True
        if self.browsed and not self.is_stream:
            self._channel.basic_nack(0, multiple=True, requeue=True)
        self._channel.close()

    def _closed(
        self, arguments: Mapping[str, Any], _channel: Channel, error: BaseException
    ) -> None:
        if isinstance(error, ChannelClosedByClient):
            assert self._handler is not None
            self._handler.end(self.visit.done)
        elif not isinstance(error, ChannelClosedByBroker):
            pass  # the connection is lost, which the visit reports
        elif arguments and error.reply_code == refusal.PRECONDITION_FAILED:
            self._tag = None
            self._open({})
        else:
            reason = describe(error)
            remedy = refusal.remedy(refusal.BROWSE, error.reply_code, reason)
            self.visit.fail(f"{self.visit.address}: {reason}{': ' if remedy else ''}{remedy}")
