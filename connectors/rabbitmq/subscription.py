"""Consumes a queue on one channel, and changes the prefetch while it consumes.

It settles no message.

Rule 1: RabbitMQ fixes the prefetch when a consumer subscribes, so a change needs a new consumer on
        the same channel. Messages of the old consumer stay valid, and do not count against the
        prefetch of the new one.
Rule 2: a consumer is replaced only when it is full. A quorum queue requeues messages that are on
        their way to a cancelled consumer, and counts one more delivery for each of them.
Rule 3: it is also replaced when memory is full and the prefetch too large, since messages have
        become larger. Most of the messages on their way still arrive, as far as memory allows.
Rule 4: while it is paused there is no consumer. What has arrived stays valid; a stream goes on
        behind its last message that has arrived.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

from pika.channel import Channel

from connectors.message import Message
from connectors.prefetch import AdaptivePrefetch, Held
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.slow_start import SlowStart
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.stream_offsets import offset_of
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
        adaptive: AdaptivePrefetch,
        on_messages: OnBatch,
        held_from: Callable[[int], int],
        held: Callable[[], Held],
        on_agreed: Callable[[], None],
    ) -> None:
        """`held_from` counts the unacknowledged messages from a delivery tag on.

        `held` tells which messages have no outcome. `on_messages` receives each batch of messages;
        `on_agreed` is called at each `basic.consume-ok` of the broker.
        """
        self._connection, self._channel, self._spec = connection, channel, spec
        self._slow_start, self._adaptive, self._on_messages = slow_start, adaptive, on_messages
        self._arguments, self._can_change = dict(spec.consume.arguments), spec.can_change_prefetch
        self._held_from, self._held, self._on_agreed = held_from, held, on_agreed
        self._first_tag, self._last_tag = 1, 0  # of this consumer; of the channel
        self._replaced: list[int] = []  # the first tags of consumers that were replaced
        self._wanted_since: float | None = None  # when another prefetch was first wanted
        self._wanted = 0  # the prefetch that was last wanted, and what memory had room for
        self._prefetch = 0
        self._used_up, self._arrived_at = False, 0.0  # by the last messages, and when these arrived
        self._waits_since: float | None = None  # the next consumer, for room in memory
        self._tag = ""  # empty while there is no consumer, or while it is being replaced
        self._paused = False
        self._rests = False  # it is paused, and the broker has confirmed that
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
    def replaced(self) -> int:
        """Replaced consumers with unacknowledged messages: a quorum queue still counts them."""
        return len(self._unsettled())

    @property
    def is_full(self) -> bool:
        """The broker delivers nothing: the prefetch is used up, or a new consumer subscribes."""
        if self._ended or self._on_ended or not self._prefetch:
            return False
        return not self._tag or self._held_from(self._first_tag) >= self._prefetch

    @property
    def needs_room_in(self) -> int | None:
        """The prefetch, if it is used up and cannot double: only acknowledgements make room."""
        if not self.is_full:
            return None
        can_change = self._slow_start.over and self._can_change
        if can_change and self._adaptive.step(self._prefetch, self._held()) >= self._prefetch:
            return None
        return self.prefetch

    @property
    def paused(self) -> bool:
        """The broker has confirmed the pause: nothing more arrives until `resume`."""
        return self._rests

    @property
    def may_grow(self) -> bool:
        """The prefetch is used up, and can still grow."""
        if not self._is_used_up(time.monotonic()):
            return False
        if not self._slow_start.over:
            return True
        return self._can_change and self._adaptive.step(self._prefetch, self._held()) > 0

    def grow(self, now: float, waited: float) -> int:
        """Raise the prefetch, if it is time; return by how many messages.

        To be called when dataflow and sink have waited for messages, with the seconds; only a full
        consumer grows. Rule 2.
        """
        can_change = self._tag and self._slow_start.over and self._can_change
        if not (can_change and self._is_used_up(now)):
            return 0
        self._adaptive.waited(waited, now)
        more = self._adaptive.grow(self._prefetch, self._held(), now) if self.is_full else 0
        if more:
            self._change(more)
        return more

    @property
    def is_changing(self) -> bool:
        """Slow start lasts, or the next consumer waits for room in memory."""
        return not self._slow_start.over or self._waits_since is not None

    def shrink(self) -> None:
        """Lower the prefetch, if it is too large now that memory is full. Rule 3."""
        can_change = self._tag and self._can_change and not self._on_ended
        if can_change and self._adaptive.shrink(self.prefetch, self._held()):
            self._change(self._adaptive.wanted)

    def pause(self) -> None:
        """Stop consuming until `resume`; messages on their way still arrive. Rule 4."""
        self._paused = True
        if self._tag:
            self._cancel(self._replace)

    def resume(self) -> None:
        """Consume again after `pause`."""
        self._paused = False
        if self._rests:
            self._replace()

    def _is_used_up(self, now: float) -> bool:
        """Return whether it is full, or was so when the last messages arrived, not long ago."""
        return self.is_full or (self._used_up and now - self._arrived_at < QUIET_AFTER)

    def _change(self, prefetch: int) -> None:
        self._slow_start.allow(prefetch)
        self._wanted, self._wanted_since = prefetch, None
        self._cancel(self._replace)

    def arrived(self, messages: list[Message], now: float) -> None:
        """Note the batch, and let slow start inspect it while slow start lasts."""
        self._last_tag = messages[-1].tag
        if self._spec.is_stream and (offset := offset_of(messages[-1])) is not None:
            self._arguments[OFFSET] = offset + 1  # Rule 4
        self._used_up, self._arrived_at = self.is_full, now
        self._adaptive.arrived(self._held(), now, used_up=self._used_up)
        if not self._slow_start.over:
            self._slow_start.arrived(messages, now)
            self._consume(now)

    def update(self, held: int, now: float) -> None:
        """Begin to consume, or apply the prefetch that slow start allows now.

        `held` is the number of unacknowledged messages.
        """
        self._slow_start.update(held, now)
        if self._waits_since is not None:
            self._begin(now)
        else:
            self._consume(now)

    def end(self, on_ended: Callable[[], None]) -> None:
        """Stop consuming; call `on_ended` when the broker delivers nothing more."""
        self._on_ended.append(on_ended)
        if self._tag:
            self._cancel(self._notify_ended)
        elif self._ended or self._rests or not self._wanted or self._waits_since is not None:
            self._notify_ended()

    def _notify_ended(self) -> None:
        self._ended = True
        callbacks, self._on_ended = self._on_ended, []
        for on_ended in callbacks:
            on_ended()

    def _consume(self, now: float) -> None:
        wanted, before = self._slow_start.prefetch, self._wanted
        if wanted == before or self._ended or self._on_ended or (before and not self._tag):
            return  # unchanged, ending, or being replaced: the next `update` comes soon
        if before and not self._is_quiet(now):
            return
        self._wanted, self._wanted_since = wanted, None
        if before:
            self._cancel(self._replace)
        else:
            self._begin(now)

    def _is_quiet(self, now: float) -> bool:
        """Return whether no message is on its way to the consumer. Rule 2.

        That is so when the consumer is full, or has received nothing for `QUIET_AFTER`.
        """
        if self._wanted_since is None:
            self._wanted_since = now
        full = self._held_from(self._first_tag) >= self._prefetch
        return full or now - self._wanted_since >= QUIET_AFTER

    def _unsettled(self) -> list[int]:
        """Return the first tags of replaced consumers that have unacknowledged messages."""
        bounds = [(first, self._held_from(first)) for first in (*self._replaced, self._first_tag)]
        return [first for (first, held), (_, later) in pairwise(bounds) if held > later]

    def _replace(self) -> None:
        self._replaced = [*self._unsettled(), self._first_tag]
        self._first_tag = self._last_tag + 1
        self._begin(time.monotonic())

    def _begin(self, now: float) -> None:
        if not self._channel.is_open or self._ended:
            return  # while the broker answered, or the consumer waited for room
        self._rests = self._paused
        if self._rests:
            return
        waited = 0.0 if self._waits_since is None else now - self._waits_since
        prefetch = min(self._wanted, self._adaptive.of_next(self._held(), waited))
        if not prefetch:
            self._waits_since = now - waited
            return
        self._prefetch, self._waits_since = prefetch, None
        self._channel.basic_qos(prefetch_count=prefetch, callback=lambda _: self._subscribe())

    def _subscribe(self) -> None:
        if self._on_ended:
            self._notify_ended()
            return
        if self._paused:
            self._rests = True
            return
        if not self._channel.is_open:
            return
        self._tag = self._connection.consume_batches(
            self._channel,
            self._spec.only_queue,
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
