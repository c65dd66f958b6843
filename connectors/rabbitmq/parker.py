"""Parks messages of the job's own in a process that has no consumer to do it.

A shard may be in a process without a consumer, and `hopper state --flush` consumes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from pika.adapters.select_connection import IOLoop

from connectors.message import Rejected
from connectors.rabbitmq.credentials import Credentials
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource

PATIENCE = 5.0
"""Seconds to wait for a broker that does not answer at the end: it loses nothing by that."""


class Parker:
    """A publisher with an I/O thread of its own; it connects when the first message is parked."""

    def __init__(
        self, source: RabbitMQSource, dead_letter: RabbitMQDeadLetter, credentials: Credentials
    ) -> None:
        """`source`: the spec of one queue, which the dead letters name."""
        name = source.only_queue
        self.rejections = Rejections(name, dead_letter.reject_limit, parks=True)
        self._loop = IOLoop()
        self._publisher = DeadLetterPublisher(
            *(self._loop, name, source, dead_letter, credentials), parked=lambda *_: None
        )
        self._thread = threading.Thread(target=self._run, name=f"parking {name}", daemon=True)
        self._thread.start()

    def park(self, rejected: Rejected, queue: str | None, parked: Callable[[], object]) -> None:
        """See `Source.park`; `queue`: where the message came from, `None`: from the job itself."""
        confirmed = partial(self.rejections.parked_own, rejected, parked)
        park = partial(self._publisher.park_own, rejected, queue, confirmed)
        self._loop.add_callback_threadsafe(park)

    def close(self) -> None:
        """Disconnect, and end the thread; what the broker has not confirmed is dropped."""
        self._loop.add_callback_threadsafe(lambda: self._publisher.close(self._loop.stop))
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        self._loop.start()
        self._loop.close()
