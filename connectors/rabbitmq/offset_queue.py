"""Keeps the offset at which to continue in a stream, in a queue of the broker.

The queue holds one message: a newer one replaces the older one. So the job keeps nothing on disk,
and can continue on another machine. It uses a channel of its own, and ends with it.

A header of the message tells which stream the offset is of. If the stream and this queue are
deleted, and the stream is made anew, the job does not mistake its offsets for the old ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pika
from pika import spec
from pika.channel import Channel

from connectors.rabbitmq.wire import BatchConnection

ARGUMENTS = {"x-queue-type": "quorum", "x-max-length": 1}
"""A quorum queue writes the new offset to disk before it drops the old one."""

STREAM = "stream"
"""The header that tells the stream."""


class KeptOffset(NamedTuple):
    """What the queue keeps."""

    offset: int
    stream: str | None
    """See `StreamOpened`; `None`: unknown."""


class OffsetQueue:
    """Reads and writes the offset."""

    def __init__(self, connection: BatchConnection, queue: str) -> None:
        self._connection, self._queue = connection, queue
        self._channel: Channel | None = None

    def read(self, then: Callable[[KeptOffset | None], None]) -> None:
        """Read the offset, and call `then` with it; with `None` if there is none yet."""

        def opened(channel: Channel) -> None:
            self._channel = channel
            channel.add_callback(lambda _: then(None), [spec.Basic.GetEmpty])
            channel.basic_get(self._queue, found)

        def found(channel: Channel, method: Any, properties: Any, body: bytes) -> None:
            # A requeue would count as one more delivery, and the delivery limit would drop the
            # message some day. So publish a copy, and acknowledge the original after it.
            stream = (properties.headers or {}).get(STREAM)
            self._publish(body, stream)
            channel.basic_ack(method.delivery_tag)
            then(KeptOffset(int(body), stream) if body.isdigit() else None)

        self._connection.channel(on_open_callback=opened)

    def write(self, kept: KeptOffset) -> None:
        """Replace the offset."""
        self._publish(b"%d" % kept.offset, kept.stream)

    def _publish(self, body: bytes, stream: str | None) -> None:
        if self._channel is not None and self._channel.is_open:
            headers = None if stream is None else {STREAM: stream}
            persistent = pika.BasicProperties("text/plain", headers=headers, delivery_mode=2)
            self._channel.basic_publish("", self._queue, body, persistent)
