"""Settles the messages of one channel by their outcomes: acknowledges, parks, rejects.

`ledger.py` decides which frames may be sent to the broker, and when they are due.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.message import Message, Origin, Outcomes, Rejected
from connectors.prefetch import MESSAGE_OVERHEAD, Held
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.ledger import Ledger
from connectors.rabbitmq.message_size import message_sizes
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.slow_start import nack_counts_no_delivery, split_off_poison
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection

LOOK_AFTER = 0.5
"""Seconds between two looks at finished messages behind an open one. They wait to be acknowledged
together with it, because before it each takes a frame; so they wait until the prefetch is needed,
or a second look finds them."""
NEEDED_SHARE = 1 / 8
"""Share of a prefetch that is used up: fewer messages gain too little."""


class Settlement:
    """The settling on one channel; it ends with the channel, as the delivery tags do."""

    def __init__(
        self,
        loop: IOLoop,
        origin: Origin,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        publisher: DeadLetterPublisher | None,
        rejections: Rejections,
    ) -> None:
        """Without a `publisher`, rejected messages go to the queue's own dead lettering."""
        self._loop, self._origin, self._channel = loop, origin, channel
        self._spec, self._publisher, self._rejections = spec, publisher, rejections
        self._nacks = spec.nack_keeps_position and nack_counts_no_delivery(
            connection.server_properties
        )
        self._withheld: list[Rejected] = []  # whether they are parked is not known yet
        self._looking = False  # `_look` is scheduled
        self.rejected = 0
        """Messages that are rejected, and have found no place yet."""
        self._ledger = Ledger(
            channel.basic_ack, channel.basic_reject, partial(connection.acknowledge_each, channel)
        )

    @property
    def open(self) -> int:
        """Unacknowledged messages."""
        return self._ledger.open

    @property
    def awaiting_outcome(self) -> int:
        """Unacknowledged messages without an outcome."""
        return self._ledger.unfinished - self.rejected

    @property
    def oldest(self) -> int | None:
        """Delivery tag of the oldest message that is not finished; `None`: all are."""
        return self._ledger.oldest

    @property
    def held(self) -> Held:
        """Messages that are not finished, and the memory that they take."""
        messages = self._ledger.unfinished
        return Held(messages, self._ledger.bytes + messages * MESSAGE_OVERHEAD)

    def held_from(self, tag: int) -> int:
        """Count the unacknowledged messages from this delivery tag on."""
        return self._ledger.held_from(tag)

    def delivered(self, messages: Sequence[Message]) -> None:
        """Enter the messages that have arrived."""
        last_tag = messages[-1].tag
        self._ledger.delivered(last_tag, message_sizes(messages, self._spec))
        self._rejections.read(last_tag)

    def without_poison(self, messages: list[Message]) -> list[Message]:
        """Park messages that were delivered too often, and return the others.

        Without a dead letter, the delivery limit of the queue is the only protection.
        """
        limit = self._spec.max_deliveries
        if limit is None or self._publisher is None:
            return messages
        good, poison = split_off_poison(messages, limit)
        self._rejections.count(unread=len(poison))
        self.rejected += len(poison)
        self._rejections.poison(poison)
        for rejected in poison:
            self._publisher.park(self._origin, rejected)
        return good

    def settle(self, outcomes: Outcomes) -> None:
        """Note finished messages, and park or reject rejected ones; `flush` tells the broker.

        Raises:
            AssertionError: the outcomes have parts, which the dataflow must merge before.
        """
        if outcomes.parts:
            raise AssertionError("merge the outcomes of parts into outcomes of messages first")
        self._ledger.stored(outcomes.stored)
        self._ledger.stored(outcomes.dropped)
        self._ledger.stored(outcomes.kept)
        if accepted := len(outcomes.stored) + len(outcomes.kept):
            self._rejections.stored(accepted)
        elif outcomes.dropped:
            self._rejections.dropped()
        for rejected in outcomes.rejected:
            self.rejected += 1 + len(rejected.others)
            if self._rejections.may_park(rejected):
                self._reject(rejected)  # otherwise the message stays unacknowledged
            elif self._rejections.withholding:
                self._withheld.append(rejected)
        if self._withheld:
            self.update()

    def update(self) -> None:
        """Check the reject limit; park the withheld messages if they were only a burst."""
        self._rejections.update(self.awaiting_outcome)
        if not self._rejections.withholding:
            withheld, self._withheld = self._withheld, []
            for rejected in withheld if not self._rejections.stopped else ():
                self._rejections.log_parked(rejected)
                self._reject(rejected)

    def parked(self, rejected: Rejected) -> None:
        """Note that the dead-letter broker has confirmed the copy of this message."""
        self._rejections.parked(rejected)
        self.rejected -= 1 + len(rejected.others)
        self._ledger.stored([rejected.message.tag, *rejected.others])

    def flush(self, needed: int | None = None, *, everything: bool = False) -> None:
        """Acknowledge what is due, and the rest soon; with `everything`, all of it now.

        `needed`: the prefetch, if it is used up and only acknowledgements make room in it.
        """
        ledger = self._ledger
        makes_room = needed is not None and ledger.unsent > needed * NEEDED_SHARE
        ledger.flush(spill=everything or makes_room)
        self._look_later()

    def give_back(self) -> None:
        """Requeue unacknowledged messages without counting a failed delivery, where that works.

        Otherwise the end of the channel requeues them, which keeps their position in the queue.
        """
        if self.open and self._nacks:
            self._channel.basic_nack(0, multiple=True, requeue=True)

    def _reject(self, rejected: Rejected) -> None:
        if self._publisher is not None:
            self._publisher.park(self._origin, rejected)
            return
        tags = (rejected.message.tag, *rejected.others)
        for tag in tags:
            self._ledger.reject(tag, requeue=False)
        self._rejections.left_to_broker(rejected)
        self.rejected -= len(tags)

    def _look_later(self) -> None:
        if self._ledger.unsent and not self._looking:
            self._looking = True
            self._loop.call_later(LOOK_AFTER, self._look)

    def _look(self) -> None:
        """Acknowledge what has waited for long behind an open message, each by itself."""
        self._looking = False
        if self._channel.is_open:
            self._ledger.spill_waiting()
            self._look_later()
