"""How many consumers a queue has, ours and others', as the broker tells when it is asked.

Runs on the I/O thread of a consumer, on a channel of its own; the count is read by any thread.
"""

from __future__ import annotations

from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.rabbitmq.wire import BatchConnection

ASK_AFTER = 5.0
"""Seconds between two questions. The answer is for a person, and costs the broker nothing."""
FIRST_AFTER = 1.0
"""Seconds after the connection was made: by then we consume, too."""


class ConsumerCount:
    """Of one queue, over all connections of one consumer."""

    def __init__(self, loop: IOLoop, queue: str) -> None:
        self._loop, self._queue = loop, queue
        self.count = 0
        """As of the last answer."""

    def watch(self, connection: BatchConnection) -> None:
        """Ask now and then, until the connection ends."""
        connection.channel(on_open_callback=self._watch)

    def _watch(self, channel: Channel) -> None:
        self._loop.call_later(FIRST_AFTER, lambda: self._ask(channel))

    def _ask(self, channel: Channel) -> None:
        if channel.is_open:
            channel.queue_declare(
                self._queue, passive=True, callback=lambda answer: self._told(channel, answer)
            )

    def _told(self, channel: Channel, answer: Any) -> None:
        self.count = answer.method.consumer_count
        self._loop.call_later(ASK_AFTER, lambda: self._ask(channel))
