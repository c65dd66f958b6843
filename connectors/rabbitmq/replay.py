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
    """Where a message is published."""

    exchange: str
    routing_key: str


class Plan(NamedTuple):
    """What to do with dead letters that are meant."""

    to_queue: bool
    """Publish them to the queue alone that they were consumed from, not to their exchange, from
    which other queues may get them too."""
    queues: Sequence[str]
    """The queues of the pipeline: where none is recorded, a message came from the only one."""
    max_replays: int
    """What was replayed so often before, and rejected again, stays."""

    def route(self, letter: DeadLetter) -> Route | str:
        """Where it goes; or why it stays."""
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
    """The properties as the sender made them, with a count of replays.

    `number` tells the messages of one connection apart while they are under way.
    """
    headers = {REPLAYS: letter.replays + 1, NUMBER: number}
    return basic_properties(letter.message, headers, without=(*OURS, *OF_THE_QUEUE))
