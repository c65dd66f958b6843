"""Asks the broker from time to time how many consumers and waiting messages a queue has.

Runs on the I/O thread of a consumer, on a channel of its own; any thread reads the counts.
"""

from __future__ import annotations

from collections.abc import Callable
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
        self.replaced = 0
        """Those of them that our consumer has replaced: a quorum queue counts each of them until
        its messages are settled, a classic queue none."""
        self.waiting = 0
        """Messages that wait in the queue, by the last answer."""

    def watch(self, connection: BatchConnection, replaced: Callable[[], int]) -> None:
        """Ask from time to time until the connection ends.

        `replaced` counts replaced consumers that have unacknowledged messages.
        """
        connection.channel(on_open_callback=lambda channel: self._watch(channel, replaced))

    def _watch(self, channel: Channel, replaced: Callable[[], int]) -> None:
        def ask() -> None:
            if channel.is_open:
                before = replaced()
                channel.queue_declare(
                    self._queue, passive=True, callback=lambda answer: note(answer, before)
                )

        def note(answer: Any, replaced_before: int) -> None:
            # Between question and answer a message may have been settled, or a consumer replaced.
            self.replaced = max(replaced_before, replaced())
            self.consumers = answer.method.consumer_count
            self.waiting = answer.method.message_count
            self._loop.call_later(ASK_AFTER, ask)

        self._loop.call_later(FIRST_AFTER, ask)
