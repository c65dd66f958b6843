"""Remembers one number in a queue of the broker: where to go on in a stream.

The queue holds one message; a newer one pushes the older one out. So the job keeps nothing on disk,
and may go on from another machine. It works on a channel of its own, and ends with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from pika import spec
from pika.channel import Channel

from connectors.rabbitmq.wire import BatchConnection

ARGUMENTS = {"x-queue-type": "quorum", "x-max-length": 1}
"""A quorum queue, since the number must be on disk when the one before is gone."""


class OffsetQueue:
    """What it holds, and how to replace it."""

    def __init__(self, connection: BatchConnection, queue: str) -> None:
        self._connection, self._queue = connection, queue
        self._channel: Channel | None = None

    def read(self, then: Callable[[int | None], None]) -> None:
        """Pass on the number; `None`, if there is none yet."""

        def opened(channel: Channel) -> None:
            self._channel = channel
            channel.add_callback(lambda _: then(None), [spec.Basic.GetEmpty])
            channel.basic_get(self._queue, found)

        def found(channel: Channel, method: Any, _properties: Any, body: bytes) -> None:
            # Given back it would count as delivered once more, and be dropped some day; so there
            # is a second one before the first one goes.
            self._publish(body)
            channel.basic_ack(method.delivery_tag)
            then(int(body) if body.isdigit() else None)

        self._connection.channel(on_open_callback=opened)

    def write(self, offset: int) -> None:
        """Replace the number."""
        self._publish(b"%d" % offset)

    def _publish(self, body: bytes) -> None:
        if self._channel is not None and self._channel.is_open:
            persistent = pika.BasicProperties(delivery_mode=2, content_type="text/plain")
            self._channel.basic_publish("", self._queue, body, persistent)
