"""One channel: hands its messages to the dataflow, and settles them by their outcomes.

Runs on the I/O thread of its consumer. It knows no earlier and no later connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pika.channel import Channel

from connectors import metrics
from connectors.connector import Load
from connectors.message import Arrived, Message, Origin, Outcomes, Rejected, StreamOpened
from connectors.rabbitmq.consumer_parts import ConsumerParts, SessionOwner
from connectors.rabbitmq.consumer_timeout import DeliveryAges
from connectors.rabbitmq.memory_limit import MemoryLimit
from connectors.rabbitmq.read_pause import read_pause
from connectors.rabbitmq.settlement import Settlement
from connectors.rabbitmq.slow_start import any_redelivered
from connectors.rabbitmq.socket_reading import SocketReading
from connectors.rabbitmq.stored_ages import StoredAges
from connectors.rabbitmq.stream_position import StreamPosition
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection

LOG = logging.getLogger("hopper.rabbitmq")

TICK_AFTER = 1.0
"""Seconds between two checks of what only time changes: prefetch, ages, offset, reject limit."""


class Session:
    """The consuming and settling on one channel; it ends with the channel."""

    def __init__(
        self,
        owner: SessionOwner,
        parts: ConsumerParts,
        origin: Origin,
        connection: BatchConnection,
        channel: Channel,
    ) -> None:
        """`parts`: what the sessions of the consumer share."""
        spec, slow_start, adaptive = parts.spec, parts.slow_start, parts.prefetch
        self.origin, self._owner = origin, owner
        self._loop, self._connection, self._channel = parts.loop, connection, channel
        self._slow_start, self._events = slow_start, parts.events
        self._rejections, self._collect_seconds = parts.rejections, parts.collect_seconds
        self._settlement = Settlement(
            *(parts.loop, origin, connection, channel, spec),
            *(parts.publisher, parts.rejections),
        )
        held, held_from = lambda: self._settlement.held, self._settlement.held_from
        self._subscription = Subscription(
            *(connection, channel, spec, slow_start, adaptive),
            *(self._on_messages, held_from, held, owner.agreed),
        )
        reading, shrink = SocketReading(connection), self._subscription.shrink
        self._adaptive = adaptive
        self._memory_limit = MemoryLimit(reading, adaptive, held, shrink)
        self._ages = DeliveryAges(spec.consumer_timeout)
        self._timeout = spec.consumer_timeout
        self._position = (
            StreamPosition(connection, spec, parts.last_offset, owner.disconnect, self._on_stream)
            if spec.is_stream
            else None
        )
        self._bytes = 0
        self._oldest = 0.0  # age of the oldest message without an outcome, in seconds
        self._stored_ages = StoredAges()

    @property
    def open(self) -> int:
        """Unacknowledged messages."""
        return self._settlement.open

    @property
    def replaced(self) -> int:
        """See `Subscription`."""
        return self._subscription.replaced

    @property
    def is_full(self) -> bool:
        """See `Consumer`; from any thread."""
        return self._memory_limit.is_reached or self._subscription.is_full

    @property
    def load(self) -> Load:
        """See `Consumer`; from any thread."""
        subscription = self._subscription
        return Load(
            *(self.open, subscription.prefetch, self.is_full),
            may_grow=not self._memory_limit.is_reached and subscription.may_grow,
            bytes=self._settlement.held.bytes,
            memory=self._adaptive.memory,
            oldest=self._oldest,
        )

    @property
    def awaiting_outcome(self) -> int:
        """Unacknowledged messages without an outcome."""
        return self._settlement.awaiting_outcome

    @property
    def rejected(self) -> int:
        """Messages that are rejected, and neither parked nor left to the broker yet."""
        return self._settlement.rejected

    @property
    def paused(self) -> bool:
        """The broker delivers nothing, since `pause` was called."""
        return self._subscription.paused

    def begin(self) -> None:
        """Begin to consume; a stream where the consumer remembers, or where its queue says."""
        if self._position is None:
            self._tick()
        else:
            self._position.begin(self._begin_at)

    def _begin_at(self, offset: object) -> None:
        self._subscription.start_at(offset)
        self._tick()

    def _tick(self) -> None:
        """Check what only time changes, and repeat until the channel is closed."""
        if self._channel.is_open:
            self._update_prefetch()
            self._memory_limit.update()
            self._loop.call_later(TICK_AFTER, self._tick)
            self._check_ages()
            self._keep_offset()
            self._settlement.update()
            self._stop_at_reject_limit()

    def grow(self, waited: float) -> None:
        """Raise the prefetch, if it is time: dataflow and sink have waited for messages."""
        before = self._subscription.prefetch
        if more := self._subscription.grow(time.monotonic(), waited):
            LOG.info(
                "%s: dataflow and sink wait for messages while the prefetch of %d is used up: from "
                "now on it is %d",
                *(self.origin.consumer, before, more),
            )

    def pause(self) -> None:
        """Stop consuming until `resume`; the messages that have arrived are settled as before."""
        self._subscription.pause()

    def resume(self) -> None:
        """Consume again."""
        self._subscription.resume()

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop consuming; messages that have arrived can still be settled.

        `on_ended` may be called twice.
        """
        self._subscription.end(on_ended)
        self._memory_limit.end(on_ended)

    def settle(self, outcomes: Outcomes) -> None:
        """Note the outcomes; `flush` tells the broker."""
        self._settlement.settle(outcomes)
        for age in self._stored_ages.stored(outcomes.stored, time.time()):
            metrics.AGE.observe(age)
        if not (self._rejections.probing or self._rejections.stopped):
            self._slow_start.accepted()

    def parked(self, rejected: Rejected) -> None:
        """Note that the dead-letter broker has confirmed the copy of this message."""
        self._settlement.parked(rejected)

    def flush(self, *, everything: bool) -> None:
        """Acknowledge what is due (`everything`: all that is finished); update the prefetch."""
        self._settlement.flush(self._subscription.needs_room_in, everything=everything)
        if everything:
            self._keep_offset()
        if self._memory_limit.is_reached:
            self._memory_limit.update()
        if self._subscription.is_changing:
            self._update_prefetch()
        self._stop_at_reject_limit()

    def _stop_at_reject_limit(self) -> None:
        if self._rejections.stopped:
            self._owner.stop_until_probe()

    def give_back(self, then: Callable[[], None]) -> None:
        """Requeue messages without an outcome; call `then` when the broker has all of the rest.

        The channel is closed next.
        """
        self._settlement.give_back()
        self.abandon()
        if self._position is None:
            then()
        else:
            self._position.end(then)

    def abandon(self) -> None:
        """Discard what arrives from now on: the connection ends.

        The next one goes on in a stream at the oldest message that is not settled.
        """
        self._memory_limit.discard()
        if self._position is not None:
            self._position.remember(self._settlement.oldest)

    def _update_prefetch(self) -> None:
        self._subscription.update(self.open, time.monotonic())
        if self._slow_start.probe_has_grown:
            self._rejections.probe_grew()

    def _check_ages(self) -> None:
        age = self._oldest = self._ages.oldest(self._settlement.oldest, time.monotonic())
        if self._ages.is_overdue(age):
            self.flush(everything=True)
            self._owner.disconnect(
                f"a message is unacknowledged for {age:.0f} s: requeued all messages before the "
                f"consumer timeout of {self._timeout:.0f} s"
            )
        elif self._ages.is_worth_a_warning(age):
            LOG.warning(
                "%s: a message is unacknowledged for %.0f s; at the consumer timeout of %.0f s the "
                "broker requeues all messages: shorten the windows or raise the timeout",
                *(self.origin.consumer, age, self._timeout),
            )

    def _keep_offset(self) -> None:
        if self._position is not None:
            self._position.keep(self._settlement.oldest)

    def _on_stream(self, stream: str) -> None:
        self._events.add(StreamOpened(self.origin, stream))

    def _on_messages(self, messages: list[Message]) -> None:
        if self._memory_limit.discards:
            return
        now, count = time.monotonic(), len(messages)
        self._settlement.delivered(messages)
        self._ages.delivered(messages[-1].tag, now)
        self._stored_ages.delivered(messages[0], now)
        if self._position is not None:
            self._position.delivered(messages)
        self._subscription.arrived(messages, now)
        if (needed := self._subscription.needs_room_in) is not None:
            self._settlement.flush(needed)
        if any_redelivered(messages):
            messages = self._settlement.without_poison(messages)
            self._stop_at_reject_limit()
        if messages:
            self._events.add(Arrived(self.origin, messages))
        self._memory_limit.update()
        before, self._bytes = self._bytes, self._connection.bytes_received
        prefetch, longest = self._subscription.prefetch, self._collect_seconds
        time.sleep(read_pause(self._bytes - before, count, prefetch, longest))
