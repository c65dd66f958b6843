"""Queues in memory as a `connectors.connector.Source`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from connectors.consumer_names import consumer_names
from connectors.latest_dead_letters import LatestDeadLetter, together
from connectors.memory.broker import MemoryConsumer, MemoryQueue
from connectors.memory.spec import MemorySource
from connectors.memory.stream import offset_in
from connectors.message import Message, Properties, Rejected, Run


class MemoryQueueSource:
    """Queues in memory as a source (see `connectors.connector.Source`)."""

    def __init__(
        self, spec: MemorySource, workers: int, queues: Mapping[str, MemoryQueue] | None = None
    ) -> None:
        """`queues`: by their names, if they are not the ones that all of the process share."""
        self._spec = spec
        self._messages = queues or {name: queue(name) for name in spec.queue}
        self._queues = consumer_names(spec.queue, spec.consumers_of_each(workers))
        self._consumers: dict[str, MemoryConsumer] = {}

    def consumers(self) -> list[str]:
        """See `Source`."""
        return [*self._queues]

    def queue_of(self, consumer: str) -> str:
        """See `Source`."""
        return self._queues[consumer]

    def consumer(self, name: str) -> MemoryConsumer:
        """See `Source`."""
        if name not in self._consumers:
            messages = self._messages[self._queues[name]]
            self._consumers[name] = MemoryConsumer(
                name, messages, self._spec.prefetch_number, self._memory_of_each
            )
        return self._consumers[name]

    def _memory_of_each(self) -> int:
        return self._spec.memory // len(self._consumers)

    def unacknowledged(self) -> int:
        """See `Source`."""
        return sum(consumer.unacknowledged for consumer in self._consumers.values())

    def stopped_because(self) -> list[str]:
        """See `Source`; they always read."""
        return []

    def disconnected_because(self) -> dict[str, str]:
        """See `Source`; no connection is refused."""
        return {}

    def refused_because(self) -> str:
        """See `Source`; nothing is refused."""
        return ""

    def other_consumers(self) -> dict[str, int]:
        """See `Source`."""
        ours = {*self._consumers.values()}
        others = {name: {*one.consumers} - ours for name, one in self._messages.items()}
        return {name: len(those) for name, those in others.items() if those}

    def waiting(self) -> dict[str, int]:
        """See `Source`."""
        return {name: len(one.waiting) for name, one in self._messages.items()}

    def park(self, rejected: Rejected, consumer: str | None, parked: Callable[[], object]) -> None:
        """See `Source`."""
        name = consumer if consumer in self._queues else next(iter(self._queues))
        self.consumer(name).park(rejected)
        parked()

    def close(self) -> None:
        """See `Source`; nothing is left to end."""

    def latest_dead_letters(self) -> list[LatestDeadLetter]:
        """See `Source`."""
        return together(one.latest for one in self._consumers.copy().values())

    def check(self) -> None:
        """See `Source`; nothing can be missing."""

    def properties(self, message: Message) -> Properties:
        """See `Source`."""
        return _decode(message.properties)

    def runs(self, messages: list[Message]) -> Iterable[Run]:
        """See `Source`; the messages of a run have the same `message_id`."""
        for properties, alike in groupby(messages, key=attrgetter("properties")):
            yield Run([*alike], [_decode(properties)])

    @property
    def offset(self) -> Callable[[Properties], int | None] | None:
        """See `Source`."""
        return offset_in if any(one.stream for one in self._messages.values()) else None


def queue(name: str) -> MemoryQueue:
    """Return the queue of that name in this process."""
    return _QUEUES.setdefault(name, MemoryQueue())


_QUEUES: dict[str, MemoryQueue] = {}
_decode = msgspec.msgpack.Decoder(Properties).decode
