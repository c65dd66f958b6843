"""What the sessions of a consumer share, one after the other, and what they tell the consumer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pika.adapters.select_connection import IOLoop

from connectors.prefetch import AdaptivePrefetch
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.events import Events
from connectors.rabbitmq.offset_queue import LastOffset
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.slow_start import SlowStart
from connectors.rabbitmq.spec import RabbitMQSource


class ConsumerParts:
    """The parts of a consumer that outlive a connection."""

    def __init__(
        self,
        loop: IOLoop,
        spec: RabbitMQSource,
        memory: Callable[[], int],
        publisher: DeadLetterPublisher | None,
        rejections: Rejections,
        collect_seconds: float,
    ) -> None:
        """`memory`: bytes that unacknowledged messages may take.

        Without a `publisher`, rejected messages go to the queue's own dead lettering.
        `collect_seconds`: how long messages may collect before they are handed over.
        """
        self.loop, self.spec, self.publisher = loop, spec, publisher
        self.rejections, self.collect_seconds = rejections, collect_seconds
        self.events, self.last_offset = Events(), LastOffset()
        self.prefetch = AdaptivePrefetch(spec.prefetch_number, memory)
        self.slow_start = SlowStart(self.prefetch.wanted)
        if not spec.can_change_prefetch:
            self.slow_start.end()

    def begin_probe(self) -> None:
        """Let the next session receive one message, if the prefetch can change."""
        if self.spec.can_change_prefetch:
            self.slow_start = SlowStart(self.prefetch.wanted, probe=True)


class SessionOwner(Protocol):
    """Hears what a session cannot do by itself."""

    def disconnect(self, reason: str) -> None:
        """End the connection."""

    def stop_until_probe(self) -> None:
        """Stop consuming: the limit on rejections is reached."""

    def agreed(self) -> None:
        """Note a `basic.consume-ok` of the broker."""
