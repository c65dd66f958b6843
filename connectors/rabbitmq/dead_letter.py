"""Publishes rejected messages where a person can look at them, and tells when the broker has them.

Runs on the I/O thread of a consumer, over a connection of its own: RabbitMQ stops reading from a
connection that publishes while it is short of memory, and acknowledgements must go on.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any, NamedTuple

from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

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
"""Between two tries to park a message, and between two to connect."""


_LIMIT = re.compile(r"message size \d+ is larger than .*max size (\d+)").search
"""Why RabbitMQ closes a channel: at more than 16 MiB, since its version 4. A summary may have more;
it waits then, since all others need the channel."""


class Parking(NamedTuple):
    """One message that is being parked."""

    origin: Origin
    rejected: Rejected
    attempts: int = 0


class DeadLetterPublisher:
    """Parks for one consumer; connects when there is something to park for the first time."""

    def __init__(
        self,
        loop: IOLoop,
        name: str,
        source: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter,
        credentials: Credentials,
        parked: Callable[[Origin, Rejected], None],
    ) -> None:
        """`parked` is called with each message and its origin once it is safe."""
        self._loop, self._queue, self._spec, self._parked = loop, source.queue, dead_letter, parked
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
        self._frame_bytes_most = 0  # as agreed with the broker; known once there is a channel
        self._blocked = False  # the broker is short of memory or disk, and reads nothing
        self._body_bytes_most = inf  # known once the broker has closed a channel for more
        self._published = 0  # numbers the messages of one channel, as the broker does
        self._unconfirmed: dict[int, Parking] = {}
        self._returned: dict[int, str] = {}  # why, of unconfirmed ones that no queue takes
        self._waiting: list[Parking] = []

    def __len__(self) -> int:
        """Messages that are not safe yet."""
        return len(self._unconfirmed) + len(self._waiting)

    def park(self, origin: Origin, rejected: Rejected) -> None:
        """Publish a message, again and again until the broker has confirmed it."""
        self._publish(Parking(origin, rejected))

    def forget(self, origin: Origin) -> None:
        """The origin's connection is gone: the broker hands those messages out again."""
        self._waiting = [parking for parking in self._waiting if parking.origin != origin]
        self._unconfirmed = {
            number: parking
            for number, parking in self._unconfirmed.items()
            if parking.origin != origin
        }

    def close(self, on_closed: Callable[[], None]) -> None:
        """Leave; `on_closed` follows."""
        self._link.close(on_closed)

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Publish what has waited for the connection."""
        self._channel, self._published, self._blocked = channel, 0, False
        self._frame_bytes_most = connection.params.frame_max
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm)
        self._publish_waiting()

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """Whether the broker has what it did not confirm is unknown: publish it again."""
        self._channel = None
        self._waiting = [*self._unconfirmed.values(), *self._waiting]
        self._unconfirmed, self._returned = {}, {}
        limit = _LIMIT(reason)
        # Lost for another reason, it may come back with another limit.
        self._body_bytes_most = inf if limit is None else int(limit[1])
        if self._waiting:
            LOG.error(
                "%d rejected messages wait to be parked, %s: %s%s",
                *(len(self), self._link.place, reason, f": {remedy}" if remedy else ""),
            )

    def _on_blocked(self, _connection: BatchConnection, frame: Any) -> None:
        """What is published now would only fill our own memory: it waits, unacknowledged."""
        self._blocked = True
        LOG.error(
            "the broker takes no messages, %s: %s; %d rejected messages wait to be parked",
            *(self._link.place, frame.method.reason, len(self)),
        )

    def _on_unblocked(self, _connection: BatchConnection, _frame: object) -> None:
        self._blocked = False
        LOG.info("the broker takes messages again, %s", self._link.place)
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
        if len(parking.rejected.message.body) > self._body_bytes_most:
            self._again(parking, f"the broker takes {self._body_bytes_most} bytes at the most")
            return
        self._published += 1
        self._unconfirmed[self._published] = parking
        message = parking.rejected.message
        properties = envelope(
            parking.rejected,
            self._queue,
            self._published,
            datetime.now(UTC),
            self._frame_bytes_most,
        )
        self._channel.basic_publish(
            self._spec.exchange, self._spec.routing_key, message.body, properties, mandatory=True
        )

    def _on_return(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        """No queue takes it; the broker confirms it all the same, right after this."""
        self._returned[properties.headers[NUMBER]] = f"{method.reply_text} ({method.reply_code})"

    def _on_confirm(self, frame: Any) -> None:
        last, multiple = frame.method.delivery_tag, frame.method.multiple
        numbers = [n for n in self._unconfirmed if n <= last] if multiple else [last]
        refused = None if isinstance(frame.method, spec.Basic.Ack) else "the broker refuses it"
        for number in numbers:
            parking = self._unconfirmed.pop(number, None)
            reason = self._returned.pop(number, refused)
            if parking is None:
                continue  # its origin's connection is gone
            if reason is None:
                self._parked(parking.origin, parking.rejected)
            else:
                self._again(parking, reason)

    def _again(self, parking: Parking, reason: str) -> None:
        if not self._waiting:
            delay = REPUBLISH.delay(parking.attempts, random.random())
            self._loop.call_later(delay, self._publish_waiting)
            LOG.error(
                'cannot park a rejected message, exchange "%s", routing key "%s": %s; next try in '
                "%.1f s",
                *(self._spec.exchange, self._spec.routing_key, reason, delay),
            )
        self._waiting.append(parking._replace(attempts=parking.attempts + 1))
