"""The life of one channel: what it delivers is handed over, and what has become of it is settled.

Runs on the I/O thread of its consumer. It knows nothing of other connections, earlier or later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.connector import Load
from connectors.message import Arrived, Message, Origin, Outcomes, Rejected
from connectors.rabbitmq.consumer_timeout import DeliveryAges
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.events import Events
from connectors.rabbitmq.offset_queue import OffsetQueue
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.settlement import Settlement
from connectors.rabbitmq.slow_start import SlowStart, any_redelivered
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.stream_offsets import StreamOffsets
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection

LOG = logging.getLogger("hopper.rabbitmq")

LOOK_AFTER = 1.0
"""Seconds between two looks at what only time changes."""

NAP = 0.003
"""Seconds the thread sleeps after a read that brought little, so that the next one brings more:
half the CPU of a message is the cost of a read."""
LITTLE_BYTES = 65536


class Session:
    """Ends with its channel."""

    def __init__(
        self,
        loop: IOLoop,
        origin: Origin,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        caution: SlowStart,
        parker: DeadLetterPublisher | None,
        rejections: Rejections,
        events: Events,
        hand_back: Callable[[str], None],
        stop: Callable[[], None],
        on_agreed: Callable[[], None],
    ) -> None:
        """`hand_back` is called, with the reason, when the channel should be given up.

        `stop` is called when so much is rejected that nothing more should be read, and `on_agreed`
        when the broker agrees to deliver.
        """
        self.origin = origin
        self._loop, self._connection, self._channel = loop, connection, channel
        self._caution, self._events = caution, events
        self._rejections, self._stop = rejections, stop
        self._settlement = Settlement(loop, origin, connection, channel, spec, parker, rejections)
        held_from = self._settlement.held_from
        self._subscription = Subscription(
            connection, channel, spec, caution, self._on_messages, held_from, on_agreed
        )
        self._ages, self._hand_back = DeliveryAges(spec.consumer_timeout), hand_back
        self._timeout = spec.consumer_timeout
        self._offset_queue = OffsetQueue(connection, spec.offsets) if spec.is_stream else None
        self._offsets = StreamOffsets()
        self._start_offset = spec.start_offset
        self._bytes = 0

    @property
    def open(self) -> int:
        """Messages that the broker waits to hear about."""
        return self._settlement.open

    @property
    def load(self) -> Load:
        """See `Consumer`; from any thread."""
        subscription = self._subscription
        return Load(self.open, subscription.prefetch, subscription.is_full, subscription.may_grow)

    @property
    def undecided(self) -> int:
        """Those of them that have no outcome."""
        return self._settlement.undecided

    @property
    def rejected(self) -> int:
        """Messages that are rejected, and have found no place yet."""
        return self._settlement.rejected

    def begin(self) -> None:
        """Consume; a stream from where it has been read to."""
        if self._offset_queue is None:
            self._go_on()
        else:
            self._offset_queue.read(self._begin_at)

    def _begin_at(self, offset: int | None) -> None:
        self._subscription.start_at(self._start_offset if offset is None else offset)
        self._go_on()

    def _go_on(self) -> None:
        """Look after it until the channel is closed."""
        if self._channel.is_open:
            self._look()
            self._loop.call_later(LOOK_AFTER, self._go_on)
            self._watch()
            self._keep_offset()
            self._settlement.look()
            self._stop_if_told()

    def grow(self) -> None:
        """Let in more messages, if it holds all it may."""
        before = self._subscription.prefetch
        if more := self._subscription.grow(time.monotonic()):
            LOG.info(
                "%s: open groups wait for more messages than its prefetch of %d: it may hold %d "
                "from now on",
                *(self.origin.consumer, before, before + more),
            )

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop consuming; what has arrived can still be settled."""
        self._subscription.end(on_ended)

    def settle(self, outcomes: Outcomes) -> None:
        """Note what became of messages; `flush` tells the broker."""
        self._settlement.settle(outcomes)
        if not (self._rejections.probing or self._rejections.stopped):
            self._caution.accepted()

    def parked(self, rejected: Rejected) -> None:
        """A copy of this one is safe."""
        self._settlement.parked(rejected)

    def flush(self, *, everything: bool) -> None:
        """Acknowledge what is due, or everything; make use of the room."""
        self._settlement.flush(everything=everything)
        if everything:
            self._keep_offset()
        if not self._caution.over:
            self._look()
        self._stop_if_told()

    def _stop_if_told(self) -> None:
        if self._rejections.stopped:
            self._stop()

    def give_back(self) -> None:
        """Return what has no outcome; the channel is closed next."""
        self._settlement.give_back()

    def _look(self) -> None:
        self._subscription.look(self.open, time.monotonic())
        if self._caution.is_probe_in_name_only:
            self._rejections.grown()

    def _watch(self) -> None:
        age = self._ages.oldest(self._settlement.oldest, time.monotonic())
        waits = "a message has waited for its acknowledgement for"
        if self._ages.is_overdue(age):
            self.flush(everything=True)
            self._hand_back(
                f"{waits} {age:.0f} s; everything goes back before the broker takes it, after "
                f"{self._timeout:.0f} s"
            )
        elif self._ages.is_worth_a_warning(age):
            LOG.warning(
                "%s: %s %.0f s; after %.0f s the broker takes everything back",
                *(self.origin.consumer, waits, age, self._timeout),
            )

    def _keep_offset(self) -> None:
        if self._offset_queue is not None:
            offset = self._offsets.take_next(self._settlement.oldest)
            if offset is not None:
                self._offset_queue.write(offset)

    def _on_messages(self, messages: list[Message]) -> None:
        now = time.monotonic()
        self._settlement.delivered(messages[-1].tag)
        self._ages.delivered(messages[-1].tag, now)
        if self._offset_queue is not None:
            self._offsets.delivered(messages)
        self._subscription.arrived(messages, now)
        if any_redelivered(messages):
            messages = self._settlement.without_poison(messages)
            self._stop_if_told()
        if messages:
            self._events.add(Arrived(self.origin, messages))
        before, self._bytes = self._bytes, self._connection.bytes_received
        if self._bytes - before < LITTLE_BYTES:
            time.sleep(NAP)
