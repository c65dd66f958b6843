"""Settles the messages of one channel as their outcomes say: acknowledges, parks, rejects.

What may be sent to the broker, and when it is due, is decided in `ledger.py`.
"""

from __future__ import annotations

from functools import partial

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.message import Message, Origin, Outcomes, Rejected
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.ledger import Ledger
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.slow_start import nack_is_no_failure, sort_out
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection

SPILL_AFTER = 1.0
"""Seconds that finished messages wait behind an open one, to be acknowledged together with it:
those behind it take a frame each, so they go when they are half of the prefetch, or this old."""


class Settlement:
    """Ends with its channel: on another one the tags mean nothing."""

    def __init__(
        self,
        loop: IOLoop,
        origin: Origin,
        connection: BatchConnection,
        channel: Channel,
        spec: RabbitMQSource,
        parker: DeadLetterPublisher | None,
        rejections: Rejections,
    ) -> None:
        """Without a `parker`, the queue's own dead lettering gets what is rejected."""
        self._loop, self._origin, self._channel = loop, origin, channel
        self._spec, self._parker, self._rejections = spec, parker, rejections
        self._nacks = spec.nack_keeps_place and nack_is_no_failure(connection.server_properties)
        self._withheld: list[Rejected] = []  # whether they are parked is not known yet
        self._spilling = False  # `_spill` has been asked for, and has not run yet
        self.rejected = 0
        """Messages that are rejected, and have found no place yet."""
        self._ledger = Ledger(
            channel.basic_ack, channel.basic_reject, partial(connection.acknowledge_each, channel)
        )

    @property
    def open(self) -> int:
        """Messages that the broker waits to hear about."""
        return self._ledger.open

    @property
    def undecided(self) -> int:
        """Those of them that have no outcome."""
        return self._ledger.unfinished - self.rejected

    @property
    def oldest(self) -> int | None:
        """Tag of the oldest message that has no outcome yet; `None`: all have one."""
        return self._ledger.oldest

    def held_from(self, tag: int) -> int:
        """Messages from this one on that the broker waits to hear about."""
        return self._ledger.held_from(tag)

    def delivered(self, last_tag: int) -> None:
        """Enter what has arrived, up to this tag."""
        self._ledger.delivered(last_tag)
        self._rejections.read(last_tag)

    def without_poison(self, messages: list[Message]) -> list[Message]:
        """Park what came too often; without a place to park, that is the broker's own task."""
        most = self._spec.most_deliveries
        if most is None or self._parker is None:
            return messages
        good, poison = sort_out(messages, most)
        self._rejections.count(unread=len(poison))
        self.rejected += len(poison)
        self._rejections.poison(poison)
        for rejected in poison:
            self._parker.park(self._origin, rejected)
        return good

    def settle(self, outcomes: Outcomes) -> None:
        """Note what is finished, and part with what is rejected; `flush` tells the broker."""
        if outcomes.parts:
            raise AssertionError("outcomes of parts are made outcomes of messages before")
        self._ledger.stored(outcomes.stored)
        self._ledger.stored(outcomes.dropped)
        if outcomes.stored:
            self._rejections.stored(len(outcomes.stored))
        elif outcomes.dropped:
            self._rejections.dropped()
        for rejected in outcomes.rejected:
            self.rejected += 1 + len(rejected.others)
            if self._rejections.may_park(rejected):
                self._reject(rejected)  # otherwise it stays unacknowledged
            elif self._rejections.suspicious:
                self._withheld.append(rejected)
        if self._withheld:
            self.look()

    def look(self) -> None:
        """See whether too much is rejected; park what was withheld, if that was a burst."""
        self._rejections.look(self.undecided)
        if not self._rejections.suspicious:
            withheld, self._withheld = self._withheld, []
            for rejected in withheld if not self._rejections.stopped else ():
                self._rejections.tell(rejected)
                self._reject(rejected)

    def parked(self, rejected: Rejected) -> None:
        """A copy is safe."""
        self._rejections.count(parked=1 + len(rejected.others))
        self.rejected -= 1 + len(rejected.others)
        self._ledger.stored([rejected.message.tag, *rejected.others])

    def flush(self, *, everything: bool) -> None:
        """Acknowledge what is due; the rest soon, or all of it now, with `everything`."""
        ledger = self._ledger
        ledger.flush(spill=everything or ledger.unsent > self._spec.prefetch // 2)
        if ledger.unsent and not self._spilling:
            self._spilling = True
            self._loop.call_later(SPILL_AFTER, self._spill)

    def give_back(self) -> None:
        """Return what has no outcome in a way that counts as no failure, where there is one.

        Elsewhere the end of the channel returns it: that keeps its place in the queue.
        """
        if self.open and self._nacks:
            self._channel.basic_nack(0, multiple=True, requeue=True)

    def _reject(self, rejected: Rejected) -> None:
        if self._parker is not None:
            self._parker.park(self._origin, rejected)
            return
        tags = (rejected.message.tag, *rejected.others)
        for tag in tags:
            self._ledger.reject(tag, requeue=False)
        self._rejections.count(discarded=len(tags))
        self.rejected -= len(tags)

    def _spill(self) -> None:
        """Acknowledge one by one what is finished behind a message that is still open."""
        self._spilling = False
        if self._channel.is_open:
            self._ledger.flush(spill=True)
