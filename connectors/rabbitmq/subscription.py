"""Consumes a queue on one channel, with as many messages at a time as are allowed at the moment.

It settles nothing.

Rule 1: RabbitMQ fixes the prefetch of a consumer when it is made, so another one takes its place on
        the same channel: what the first one was given stays valid, and does not count against the
        prefetch of the second one, which would otherwise be too small for ever.
Rule 2: it is replaced when it holds all it may: what is on its way to a consumer that is cancelled,
        a quorum queue takes back, and counts as delivered once more.
Rule 3: It grows only while it holds all it may, and stays so: the next window of a stream is about
        as large as this one.
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
"""Seconds after which a consumer that may hold more has got all there is."""


class Subscription:
    """Ends with its channel."""

    def __init__(
        self,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        caution: SlowStart,
        on_messages: OnBatch,
        held_from: Callable[[int], int],
        on_agreed: Callable[[], None],
    ) -> None:
        """`held_from` counts the messages from a tag on that the broker waits to hear about.

        `on_agreed` is called each time when the broker agrees to deliver.
        """
        self._connection, self._channel, self._spec = connection, channel, spec
        self._caution, self._on_messages = caution, on_messages
        self._arguments = dict(spec.consume.arguments)
        self._held_from, self._on_agreed = held_from, on_agreed
        self._first_tag, self._last_tag = 1, 0  # of this consumer; of the channel
        self._wanted_since: float | None = None  # more messages at a time
        self._prefetch = 0
        self._tag = ""  # empty while there is no consumer, or while it is being replaced
        self._on_ended: list[Callable[[], None]] = []  # called when it ends
        self._ended = False

    def start_at(self, offset: object) -> None:
        """Say where in a stream to begin, before the first look."""
        self._arguments[OFFSET] = offset

    @property
    def prefetch(self) -> int:
        """Messages that may be held now, with those that earlier consumers of the channel left."""
        first = self._first_tag
        return self._prefetch + (self._held_from(1) - self._held_from(first) if first > 1 else 0)

    @property
    def is_full(self) -> bool:
        """The broker delivers nothing: the consumer holds all it may, or is being replaced."""
        if self._ended or self._on_ended or not self._prefetch:
            return False
        return not self._tag or self._held_from(self._first_tag) >= self._prefetch

    @property
    def may_grow(self) -> bool:
        """It may hold more than now some time."""
        return not self._caution.over or (self._spec.may_grow and self._growth() > 0)

    def grow(self, now: float) -> int:
        """Hold more, if it is full; return how many more. Rule 3."""
        if not (self._tag and self.is_full and self._caution.over and self._spec.may_grow):
            return 0
        if more := self._growth():
            self._caution.allow(more)
            self._consume(now)
        return more

    def _growth(self) -> int:
        held = self._held_from(1)
        size = held * self._connection.bytes_received / max(1, self._last_tag)
        return growth(self._prefetch, held, size)

    def arrived(self, messages: list[Message], now: float) -> None:
        """Look at what has come, as long as there is caution."""
        self._last_tag = messages[-1].tag
        if not self._caution.over:
            self._caution.arrived(messages, now)
            self._consume(now)

    def look(self, held: int, now: float) -> None:
        """Begin to consume, or go on with as many messages at a time as are wise by now."""
        self._caution.look(held, now)
        self._consume(now)

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop; nothing is delivered any more when `on_ended` is called."""
        self._on_ended.append(on_ended)
        if self._tag:
            self._cancel(self._tell)
        elif self._ended or not self._prefetch:
            self._tell()

    def _tell(self) -> None:
        self._ended = True
        told, self._on_ended = self._on_ended, []
        for on_ended in told:
            on_ended()

    def _consume(self, now: float) -> None:
        prefetch, before = self._caution.prefetch, self._prefetch
        if prefetch == before or self._ended or self._on_ended or (before and not self._tag):
            return  # while one is being replaced; the next look is soon
        if before and not self._is_quiet(now):
            return
        self._prefetch, self._wanted_since = prefetch, None
        if before:
            self._cancel(self._replace)
        else:
            self._begin()

    def _is_quiet(self, now: float) -> bool:
        """Nothing is on its way to us, since no more may be, or since nothing has come. Rule 2."""
        if self._wanted_since is None:
            self._wanted_since = now
        full = self._held_from(self._first_tag) >= self._prefetch
        return full or now - self._wanted_since >= QUIET_AFTER

    def _replace(self) -> None:
        self._first_tag = self._last_tag + 1
        self._begin()

    def _begin(self) -> None:
        if not self._channel.is_open:
            return  # it was closed while the broker answered
        self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: self._subscribe())

    def _subscribe(self) -> None:
        if self._on_ended:
            self._tell()
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
