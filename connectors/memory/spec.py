"""The keys of `pipeline.yaml` for queues and stores in memory, for tests and dry runs."""

from __future__ import annotations

from connectors.consumer_names import consumers_of_each
from connectors.queue_names import QueueNames
from connectors.spec import (
    DEFAULT_MEMORY,
    MAX_MESSAGE,
    Consumers,
    Format,
    Indices,
    MaxMessage,
    Memory,
    Prefetch,
    Spec,
)


class MemorySource(Spec):
    """A queue in the memory of the process."""

    name: QueueNames = ("memory",)
    """Name of the queue, or names of several, as for RabbitMQ."""
    consumers: Consumers = "auto"
    """How many consumers each queue has, as for RabbitMQ."""
    memory: Memory = DEFAULT_MEMORY
    """Memory for messages that are not acknowledged, as for RabbitMQ."""
    prefetch: Prefetch = "auto"
    """Largest number of messages that one consumer may hold unacknowledged, as for RabbitMQ."""
    format: Format = "auto"
    """Format of the bodies, as for RabbitMQ."""
    indices: Indices = ()
    """Indices that documents of `es_bulk` may name, as for RabbitMQ."""
    max_message: MaxMessage = MAX_MESSAGE
    """Largest size of a body, compressed and decompressed, as for RabbitMQ."""

    @property
    def prefetch_number(self) -> int | None:
        """The largest prefetch; `None`: it is `auto`."""
        return None if self.prefetch == "auto" else self.prefetch

    @property
    def queue(self) -> tuple[str, ...]:
        """Names of the queues, as every source has them."""
        return self.name

    def consumers_of_each(self, workers: int) -> int:
        """Return the number of consumers of each queue, by the number of the cluster's workers."""
        if self.consumers != "auto":
            return self.consumers
        return consumers_of_each(len(self.name), workers)


class MemorySink(Spec):
    """A store in the memory of the process."""

    name: str = "memory"
    """Name of the store."""
