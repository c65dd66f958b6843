"""Keeps the offset at which to continue in a stream, in a queue of the broker.

The queue holds one message: a newer one replaces the older one. So the job keeps nothing on disk,
and can continue on another machine. It uses a channel of its own, and ends with it.

A header of the message tells which stream the offset is of. If the stream and this queue are
deleted, and the stream is made anew, the job does not mistake its offsets for the old ones.

A connection that reads the offset takes the message out of the queue, until the broker has a copy.
So only the first connection of a process reads it, and all later ones write what is remembered. A
queue that is empty has no offset only if no other connection holds it: a connection that is lost
may hold it for minutes, until the broker misses its heartbeats.

A queue that is deleted or purged while the job runs has the offset again soon: the broker returns
an offset for which it has no queue, and an offset that does not change is written again.

The broker confirms each offset. Without its confirmation, an offset may be lost, or be stored after
the next connection has read: a quorum queue delays publishes, and answers other requests meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pika
from pika import spec
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from connectors.rabbitmq.link import Done, describe
from connectors.rabbitmq.wire import BatchConnection

LOG = logging.getLogger("hopper.rabbitmq")

ARGUMENTS = {"x-queue-type": "quorum", "x-max-length": 1}
"""A quorum queue writes the new offset to disk before it drops the old one."""

STREAM = "stream"
"""The header that tells the stream."""

PATIENCE = 10.0
"""Seconds to wait at the end for the broker's confirmation; it comes within milliseconds, unless
the broker stands still."""
RENEW_AFTER = 10.0
"""Seconds after which an offset is written again that has not changed: few enough that a job rarely
ends meanwhile, and enough that a thousand quiet streams cost a hundred messages a second."""
REPUBLISH_AFTER = 1.0
"""Seconds until an offset is published again that the broker has refused."""


def declare(channel: Channel, queue: str, done: Done) -> None:
    """Declare a queue that keeps an offset."""
    channel.queue_declare(queue, durable=True, arguments=ARGUMENTS, callback=done)


class KeptOffset(NamedTuple):
    """What the queue keeps."""

    offset: int
    stream: str | None
    """See `StreamOpened`; `None`: unknown."""


class LastOffset:
    """Remembers the offset that a consumer has last read or written, over all its connections."""

    def __init__(self) -> None:
        self.kept: KeptOffset | None = None


class OffsetQueue:
    """Reads and writes the offset, on one connection."""

    def __init__(
        self,
        connection: BatchConnection,
        queue: str,
        last: LastOffset,
        disconnect: Callable[[str], None],
    ) -> None:
        """`disconnect` is called with the reason when the offset cannot be read or kept now."""
        self._connection, self._queue, self._disconnect = connection, queue, disconnect
        self._channel: Channel | None = None
        self._last = last
        self._published = 0  # numbers the messages of the channel, as the broker does
        self._returned = 0  # of these messages so many were lost: there was no queue
        self._confirmed, self._written_at = True, 0.0  # the broker has the last offset, and when
        self._declaring = False
        self._then: Callable[[], object] | None = None  # what waits for the confirmation
        self._ending = False

    def begin(self, then: Callable[[KeptOffset | None], None]) -> None:
        """Call `then` with the offset to begin at, once the broker has it; `None`: there is none.

        An offset that is remembered is not read.
        """

        def opened(channel: Channel) -> None:
            self._channel = channel
            channel.add_on_close_callback(self._on_close)
            channel.add_on_return_callback(self._on_return)
            channel.confirm_delivery(self._on_confirm)
            kept = self._last.kept
            if kept is None:
                self._read(channel, then)
            else:
                self.write()
                self.when_confirmed(lambda: then(kept))

        self._connection.channel(on_open_callback=opened)

    def _read(self, channel: Channel, then: Callable[[KeptOffset | None], None]) -> None:
        def found(channel: Channel, method: Any, properties: Any, body: bytes) -> None:
            # A requeue would count as one more delivery, and the delivery limit would drop the
            # message some day. So publish a copy, and acknowledge the original when it is safe.
            stream = (properties.headers or {}).get(STREAM)
            kept = KeptOffset(int(body), stream) if body.isdigit() else None
            self._last.kept = kept
            self.write()

            def confirmed() -> None:
                channel.basic_ack(method.delivery_tag)
                then(kept)

            self.when_confirmed(confirmed)

        def counted(answer: Any) -> None:
            # The broker counts as a consumer who holds a message that was got.
            if answer.method.message_count or answer.method.consumer_count:
                self._disconnect(
                    f'queue "{self._queue}": another connection holds the offset, or one that is '
                    "lost, which the broker has not noticed yet"
                )
            else:
                then(None)

        def empty(_frame: object) -> None:
            channel.queue_declare(self._queue, passive=True, callback=counted)

        channel.add_callback(empty, [spec.Basic.GetEmpty])
        channel.basic_get(self._queue, found)

    def write(self) -> None:
        """Replace the offset in the queue by the one that is remembered."""
        if self._last.kept is not None:
            self._confirmed, self._written_at = False, time.monotonic()
            self._publish()

    def when_confirmed(self, then: Callable[[], object]) -> None:
        """Call `then` when the broker has the last offset."""
        self._then = then
        if self._confirmed:
            self._go_on()

    def renew(self, now: float) -> None:
        """Write the offset again, if that was long ago."""
        if self._confirmed and now - self._written_at >= RENEW_AFTER:
            self.write()

    def end(self, then: Callable[[], object]) -> None:
        """Write the last offset again, and call `then` when the broker has it, or after `PATIENCE`.

        A warning tells that it has not.
        """
        self._ending = True
        if self._channel is not None and self._channel.is_open:
            self.write()
        self.when_confirmed(then)
        if self._channel is not None and not self._channel.is_open:
            self._give_up("before the connection was lost")
        self._connection.ioloop.call_later(
            PATIENCE, lambda: self._give_up(f"within {PATIENCE:.0f} s")
        )

    def _publish(self) -> None:
        kept, channel = self._last.kept, self._channel
        if channel is None or not channel.is_open:
            return
        if kept is not None and not self._declaring:
            offset, stream = kept
            headers = None if stream is None else {STREAM: stream}
            persistent = pika.BasicProperties("text/plain", headers=headers, delivery_mode=2)
            self._published += 1
            channel.basic_publish("", self._queue, b"%d" % offset, persistent, mandatory=True)

    def _on_return(self, channel: Channel, *_: object) -> None:
        """Declare the queue again; the broker confirms right after this what it returns."""
        self._returned = self._published
        if self._declaring or self._last.kept is None:
            return
        self._declaring = True
        LOG.warning(
            'queue "%s" is gone: it is declared again, with offset %d',
            *(self._queue, self._last.kept.offset),
        )

        def declared(_answer: object) -> None:
            self._declaring = False
            self._publish()

        declare(channel, self._queue, declared)

    def _on_confirm(self, frame: Any) -> None:
        """Note what became of the last offset; what became of older ones does not matter."""
        if frame.method.delivery_tag != self._published or self._published == self._returned:
            return
        if isinstance(frame.method, spec.Basic.Ack):
            self._confirmed = True
            self._go_on()
        else:
            self._connection.ioloop.call_later(REPUBLISH_AFTER, self._publish)

    def _go_on(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def _on_close(self, _channel: Channel, error: BaseException) -> None:
        if isinstance(error, ChannelClosedByBroker) and not self._ending:
            self._disconnect(f'queue "{self._queue}" keeps no offset: {describe(error)}')
        self._give_up("before the connection was lost")

    def _give_up(self, when: str) -> None:
        if self._ending and self._then is not None and self._last.kept is not None:
            LOG.warning(
                'queue "%s": the broker has not confirmed offset %d %s: the next start may read '
                "messages of the stream again",
                *(self._queue, self._last.kept.offset, when),
            )
            self._go_on()
