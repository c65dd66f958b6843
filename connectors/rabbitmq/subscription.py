"""Consumes a queue on one channel, and changes the prefetch while it consumes.

It settles no message.

Rule 1: RabbitMQ fixes the prefetch when a consumer subscribes, so a change needs a new consumer on
        the same channel. Messages of the old consumer stay valid, and do not count against the
        prefetch of the new one.
Rule 2: a consumer is replaced only when it is full. A quorum queue requeues messages that are on
        their way to a cancelled consumer, and counts one more delivery for each of them.
Rule 3: the prefetch grows only while the consumer is full, and never shrinks: the next window of a
        stream is about as large as this one.
"""

from __future__ import annotations

from collections.abc import Callable

from pika.channel import Channel

from connectors.message import Message
from connectors.prefetch import growth
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.slow_start import SlowStart
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection, OnBatch

QUIET_AFTER = 1.0
"""Seconds of silence after which a consumer that is not full has received the whole queue."""


class Subscription:
    """One subscription to a queue; it ends with its channel."""

    def __init__(
        self,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        slow_start: SlowStart,
        on_messages: OnBatch,
        held_from: Callable[[int], int],
        on_agreed: Callable[[], None],
    ) -> None:
        """`held_from` counts the unacknowledged messages from a delivery tag on.

        `on_messages` receives each batch of messages; `on_agreed` is called at each
        `basic.consume-ok` of the broker.
        """
        self._connection, self._channel, self._spec = connection, channel, spec
        self._slow_start, self._on_messages = slow_start, on_messages
        self._arguments = dict(spec.consume.arguments)
        self._held_from, self._on_agreed = held_from, on_agreed
        self._first_tag, self._last_tag = 1, 0  # of this consumer; of the channel
        self._wanted_since: float | None = None  # when another prefetch was first wanted
        self._prefetch = 0
        self._tag = ""  # empty while there is no consumer, or while it is being replaced
        self._on_ended: list[Callable[[], None]] = []  # called when it ends
        self._ended = False

    def start_at(self, offset: object) -> None:
        """Set the stream offset to begin at, before the first `update`."""
        self._arguments[OFFSET] = offset

    @property
    def prefetch(self) -> int:
        """Messages that the channel may hold now, with those that replaced consumers still hold."""
        first = self._first_tag
        return self._prefetch + (self._held_from(1) - self._held_from(first) if first > 1 else 0)

    @property
    def is_full(self) -> bool:
        """The broker delivers nothing: the prefetch is used up, or a new consumer subscribes."""
        if self._ended or self._on_ended or not self._prefetch:
            return False
        return not self._tag or self._held_from(self._first_tag) >= self._prefetch

    @property
    def may_grow(self) -> bool:
        """Return whether the prefetch can still grow."""
        return not self._slow_start.over or (self._spec.may_grow and self._growth() > 0)

    def grow(self, now: float) -> int:
        """Raise the prefetch if the consumer is full; return by how many messages. Rule 3."""
        if not (self._tag and self.is_full and self._slow_start.over and self._spec.may_grow):
            return 0
        if more := self._growth():
            self._slow_start.allow(more)
            self._consume(now)
        return more

    def _growth(self) -> int:
        held = self._held_from(1)
        size = held * self._connection.bytes_received / max(1, self._last_tag)
        return growth(self._prefetch, held, size)

    def arrived(self, messages: list[Message], now: float) -> None:
        """Note the batch, and let slow start inspect it while slow start lasts."""
        self._last_tag = messages[-1].tag
        if not self._slow_start.over:
            self._slow_start.arrived(messages, now)
            self._consume(now)

    def update(self, held: int, now: float) -> None:
        """Begin to consume, or apply the prefetch that slow start allows now.

        `held` is the number of unacknowledged messages.
        """
        self._slow_start.update(held, now)
        self._consume(now)

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop consuming; call `on_ended` when the broker delivers nothing more."""
        self._on_ended.append(on_ended)
        if self._tag:
            self._cancel(self._notify_ended)
        elif self._ended or not self._prefetch:
            self._notify_ended()

    def _notify_ended(self) -> None:
        self._ended = True
        callbacks, self._on_ended = self._on_ended, []
        for on_ended in callbacks:
            on_ended()

    def _consume(self, now: float) -> None:
        prefetch, before = self._slow_start.prefetch, self._prefetch
        if prefetch == before or self._ended or self._on_ended or (before and not self._tag):
            return  # unchanged, ending, or being replaced: the next `update` comes soon
        if before and not self._is_quiet(now):
            return
        self._prefetch, self._wanted_since = prefetch, None
        if before:
            self._cancel(self._replace)
        else:
            self._begin()

    def _is_quiet(self, now: float) -> bool:
        """Return whether no message is on its way to the consumer. Rule 2.

        That is so when the consumer is full, or has received nothing for `QUIET_AFTER`.
        """
        if self._wanted_since is None:
            self._wanted_since = now
        full = self._held_from(self._first_tag) >= self._prefetch
        return full or now - self._wanted_since >= QUIET_AFTER

    def _replace(self) -> None:
        self._first_tag = self._last_tag + 1
        self._begin()

    def _begin(self) -> None:
        if not self._channel.is_open:
            return  # the channel was closed while the broker answered
        self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: self._subscribe())

    def _subscribe(self) -> None:
        if self._on_ended:
            self._notify_ended()
            return
        if not self._channel.is_open:
            return
        self._tag = self._connection.consume_batches(
            self._channel,
            self._spec.queue,
            self._on_messages,
            exclusive=self._spec.consume.exclusive,
            arguments=self._arguments,
            callback=lambda _: self._on_agreed(),
        )

    def _cancel(self, then: Callable[[], None]) -> None:
        tag, self._tag = self._tag, ""
        if not self._channel.is_open:
            return
        self._channel.basic_cancel(tag, callback=lambda _: then())
