"""Publishes rejected messages as dead letters, and reports when the broker has confirmed them.

Runs on the I/O thread of a consumer, over a connection of its own: when RabbitMQ is short of memory
it blocks connections that publish, and acknowledgements must not wait for that.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any, NamedTuple

from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.jitter import jitter
from connectors.message import Origin, Rejected
from connectors.rabbitmq import topology
from connectors.rabbitmq.credentials import Credentials
from connectors.rabbitmq.dead_letter_headers import NUMBER, envelope
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

LOG = logging.getLogger("hopper.rabbitmq")

REPUBLISH = Backoff(0.2, 30.0)
"""Seconds between two attempts to park a message, and between two to connect."""


_LIMIT = re.compile(r"message size \d+ is larger than .*max size (\d+)").search
"""RabbitMQ closes the channel with this text at a message above its limit: 16 MiB since version 4.
A summary may be larger; it then waits, so that the others can use the channel."""


class Parking(NamedTuple):
    """One message that is being parked."""

    origin: Origin
    rejected: Rejected
    attempts: int = 0
    confirmed: Callable[[], object] | None = None
    """Called instead of `parked`: the message is the job's own, which no connection holds."""
    queue: str | None = None
    """The queue that the message came from; `None`: that of the consumer."""


OWN = Origin("", 0)
"""The origin of the job's own messages."""


class DeadLetterPublisher:
    """Parks the messages of one consumer; it connects when the first one has to be parked."""

    def __init__(
        self,
        loop: IOLoop,
        name: str,
        source: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter,
        credentials: Credentials,
        parked: Callable[[Origin, Rejected], None],
    ) -> None:
        """`parked` is called with each message and its origin once the broker has confirmed it."""
        self._loop, self._queue, self._spec, self._parked = (
            loop,
            source.only_queue,
            dead_letter,
            parked,
        )
        self._link = Link(
            loop,
            dead_letter.url or source.url,
            f"hopper {name} parking",
            topology.of_dead_letter(dead_letter),
            self,
            REPUBLISH,
            credentials.of_dead_letter,
        )
        self._opened = False
        self._channel: Channel | None = None
        self._max_frame_bytes = 0  # negotiated with the broker when the channel opens
        self._blocked = False  # the broker is short of memory or disk, and reads nothing
        self._max_body_bytes = inf  # known once the broker has closed a channel for it
        self._published = 0  # numbers the messages of one channel, as the broker does
        self._unconfirmed: dict[int, Parking] = {}  # by number
        self._returned: dict[int, str] = {}  # by number: why the broker returned the message
        self._waiting: list[Parking] = []

    def __len__(self) -> int:
        """Return the number of messages that the broker has not confirmed."""
        return len(self._unconfirmed) + len(self._waiting)

    def park(self, origin: Origin, rejected: Rejected) -> None:
        """Publish a message, and retry until the broker has confirmed it."""
        self._publish(Parking(origin, rejected))

    def park_own(
        self, rejected: Rejected, queue: str | None, confirmed: Callable[[], object]
    ) -> None:
        """Publish a message of the job's own; call `confirmed` once the broker has it."""
        self._publish(Parking(OWN, rejected, confirmed=confirmed, queue=queue))

    def forget(self, origin: Origin) -> None:
        """Forget the messages of this origin: its connection is lost, so they are redelivered."""
        self._waiting = [parking for parking in self._waiting if parking.origin != origin]
        self._unconfirmed = {
            number: parking
            for number, parking in self._unconfirmed.items()
            if parking.origin != origin
        }

    def close(self, on_closed: Callable[[], None]) -> None:
        """Disconnect; call `on_closed` when that is done."""
        self._link.close(on_closed)

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Publish the messages that wait for the connection."""
        self._channel, self._published, self._blocked = channel, 0, False
        self._max_frame_bytes = connection.params.frame_max
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm)
        self._publish_waiting()

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """Publish unconfirmed messages again: whether the broker has them is unknown."""
        self._channel = None
        self._waiting = [*self._unconfirmed.values(), *self._waiting]
        self._unconfirmed, self._returned = {}, {}
        limit = _LIMIT(reason)
        # After any other reason, the next broker may have another limit.
        self._max_body_bytes = inf if limit is None else int(limit[1])
        if self._waiting:
            LOG.error(
                "%d rejected messages wait to be parked, %s: %s%s",
                *(len(self), self._link.address, reason, f": {remedy}" if remedy else ""),
            )

    def _on_blocked(self, _connection: BatchConnection, frame: Any) -> None:
        """Stop publishing: it would only fill memory. The messages wait, unacknowledged."""
        self._blocked = True
        LOG.error(
            "the broker blocks publishing, %s: %s; %d rejected messages wait to be parked",
            *(self._link.address, frame.method.reason, len(self)),
        )

    def _on_unblocked(self, _connection: BatchConnection, _frame: object) -> None:
        self._blocked = False
        LOG.info("the broker accepts messages again, %s", self._link.address)
        self._publish_waiting()

    def _publish_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for parking in waiting:
            self._publish(parking)

    def _publish(self, parking: Parking) -> None:
        if self._channel is None or self._blocked:
            self._waiting.append(parking)
            if not self._opened:
                self._opened = True
                self._link.open()
            return
        if len(parking.rejected.message.body) > self._max_body_bytes:
            reason = f"the broker accepts at most {self._max_body_bytes} bytes"
            self._republish_later(parking, reason)
            return
        self._published += 1
        self._unconfirmed[self._published] = parking
        message = parking.rejected.message
        properties = envelope(
            parking.rejected,
            parking.queue or self._queue,
            self._published,
            datetime.now(UTC),
            self._max_frame_bytes,
        )
        self._channel.basic_publish(
            self._spec.exchange, self._spec.routing_key, message.body, properties, mandatory=True
        )

    def _on_return(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        """Note that no queue takes the message; the broker confirms it right after this."""
        self._returned[properties.headers[NUMBER]] = f"{method.reply_text} ({method.reply_code})"

    def _on_confirm(self, frame: Any) -> None:
        last, multiple = frame.method.delivery_tag, frame.method.multiple
        numbers = [n for n in self._unconfirmed if n <= last] if multiple else [last]
        refused = None if isinstance(frame.method, spec.Basic.Ack) else "the broker refuses it"
        for number in numbers:
            parking = self._unconfirmed.pop(number, None)
            reason = self._returned.pop(number, refused)
            if parking is None:
                continue  # forgotten: the connection of its origin is lost
            if reason is None and parking.confirmed is not None:
                parking.confirmed()
            elif reason is None:
                self._parked(parking.origin, parking.rejected)
            else:
                self._republish_later(parking, reason)

    def _republish_later(self, parking: Parking, reason: str) -> None:
        if not self._waiting:
            delay = REPUBLISH.delay(parking.attempts, jitter())
            self._loop.call_later(delay, self._publish_waiting)
            LOG.error(
                'cannot park a rejected message, exchange "%s", routing key "%s": %s; the message '
                "stays unacknowledged, next attempt in %.1f s",
                *(self._spec.exchange, self._spec.routing_key, reason, delay),
            )
        self._waiting.append(parking._replace(attempts=parking.attempts + 1))
