"""Consumes a queue on one channel, with as many messages at a time as are allowed at the moment.

It settles nothing. RabbitMQ fixes the prefetch of a consumer when it is made, so another one takes
its place on the same channel: what the first one was given stays valid. It does not count against
the prefetch of the second one, which would otherwise be too small for ever once it is settled.
"""

from __future__ import annotations

from collections.abc import Callable

from pika.channel import Channel

from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection, OnBatch


class Subscription:
    """Ends with its channel."""

    def __init__(
        self,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        on_messages: OnBatch,
    ) -> None:
        self._connection, self._channel, self._spec = connection, channel, spec
        self._on_messages = on_messages
        self._prefetch = 0
        self._tag = ""  # empty while there is no consumer, or while it is being replaced
        self._on_ended: Callable[[], None] | None = None

    def consume(self, prefetch: int) -> None:
        """Begin, or go on, with so many messages at a time; the same as before changes nothing."""
        if prefetch == self._prefetch or (self._prefetch and not self._tag):
            return  # while one is being replaced; the caller comes again
        begun, self._prefetch = self._prefetch, prefetch
        if begun:
            self._cancel(self._begin)
        else:
            self._begin()

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop; nothing is delivered any more when `on_ended` is called."""
        self._on_ended = on_ended
        if self._tag:
            self._cancel(on_ended)
        elif not self._prefetch:
            on_ended()

    def _begin(self) -> None:
        if not self._channel.is_open:
            return  # it was closed while the broker answered
        self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: self._subscribe())

    def _subscribe(self) -> None:
        if self._on_ended is not None:
            self._on_ended()
            return
        if not self._channel.is_open:
            return
        self._tag = self._connection.consume_batches(
            self._channel,
            self._spec.queue,
            self._on_messages,
            exclusive=self._spec.consume.exclusive,
            arguments=self._spec.consume.arguments,
        )

    def _cancel(self, then: Callable[[], None]) -> None:
        tag, self._tag = self._tag, ""
        if not self._channel.is_open:
            return
        self._channel.basic_cancel(tag, callback=lambda _: then())
