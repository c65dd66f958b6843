"""Decides how a dead letter is published once more: where, and with which envelope.

Pure: it publishes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pika

from connectors.rabbitmq.dead_letter_headers import NUMBER, OURS, REPLAYS
from connectors.rabbitmq.dead_letter_record import DeadLetter
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.properties import basic_properties

OF_THE_QUEUE = (OFFSET, "x-delivery-count", "x-acquired-count")
"""Headers that a broker adds when it delivers. Sent on, they would count for the next queue too."""


class Route(NamedTuple):
    """The exchange and the routing key to publish a message to."""

    exchange: str
    routing_key: str

    @property
    def nowhere(self) -> str:
        """Why a message stays: the broker has returned it."""
        if not self.exchange:
            return f"no queue takes it: there is no queue {self.routing_key}"
        bound = f'none is bound to exchange "{self.exchange}" for routing key {self.routing_key}'
        return f"no queue takes it: {bound} (--to-queue replays it)"

    @property
    def refused(self) -> str:
        """Why a message stays: the broker has not confirmed it, but refused it."""
        of = f'a queue of exchange "{self.exchange}"'
        return f"{of if self.exchange else f'queue {self.routing_key}'} refuses it: it may be full"


class Plan(NamedTuple):
    """How to replay the selected dead letters."""

    to_queue: bool
    """Publish them only to the queue that they were consumed from, not to their exchange, from
    which other queues may get them too."""
    queues: Sequence[str]
    """The queues of the pipeline: a message without a recorded queue came from the only one."""
    max_replays: int
    """A message that was replayed this many times, and rejected again, stays."""

    def route(self, letter: DeadLetter) -> Route | str:
        """Return where to publish a dead letter, or why it stays."""
        if letter.replays >= self.max_replays:
            return f"replayed before and rejected again (--max-replays {self.max_replays})"
        if self.to_queue:
            if letter.queue is None and len(self.queues) > 1:
                return "from which queue it was consumed is not recorded"
            return Route("", letter.queue or self.queues[0])
        if letter.exchange is None or letter.routing_key is None:
            return "how it was published is not recorded (--to-queue replays it)"
        return Route(letter.exchange, letter.routing_key)


def envelope(letter: DeadLetter, number: int) -> pika.BasicProperties:
    """Return the properties of the sender, with a count of replays.

    `number`: unique among the messages in flight of one connection.
    """
    headers = {REPLAYS: letter.replays + 1, NUMBER: number}
    return basic_properties(letter.message, headers, without=(*OURS, *OF_THE_QUEUE))
