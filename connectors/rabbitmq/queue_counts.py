"""Asks the broker from time to time how many consumers and waiting messages a queue has.

Runs on the I/O thread of a consumer, on a channel of its own; any thread reads the counts.
"""

from __future__ import annotations

from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.rabbitmq.wire import BatchConnection

ASK_AFTER = 5.0
"""Seconds between two requests. The counts are for a person, and cost the broker nothing."""
FIRST_AFTER = 1.0
"""Seconds from the connection to the first request: by then our own consumer counts too."""


class QueueCounts:
    """The counts of one queue, which one consumer asks the broker for over all its connections."""

    def __init__(self, loop: IOLoop, queue: str) -> None:
        self._loop, self._queue = loop, queue
        self.consumers = 0
        """Consumers of the queue, this job's and others, by the last answer."""
        self.waiting = 0
        """Messages that wait in the queue, by the last answer."""

    def watch(self, connection: BatchConnection) -> None:
        """Ask from time to time until the connection ends."""
        connection.channel(on_open_callback=self._watch)

    def _watch(self, channel: Channel) -> None:
        self._loop.call_later(FIRST_AFTER, lambda: self._ask(channel))

    def _ask(self, channel: Channel) -> None:
        if channel.is_open:
            channel.queue_declare(
                self._queue, passive=True, callback=lambda answer: self._on_answer(channel, answer)
            )

    def _on_answer(self, channel: Channel, answer: Any) -> None:
        self.consumers = answer.method.consumer_count
        self.waiting = answer.method.message_count
        self._loop.call_later(ASK_AFTER, lambda: self._ask(channel))
