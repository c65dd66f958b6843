"""What `pipeline.yaml` says about the queues and stores in memory, for tests and dry runs."""

from __future__ import annotations

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

    name: str = "memory"
    """Name of the queue."""
    consumers: Consumers = "auto"
    """How many consumers share the queue; `auto`: one for each Bytewax worker."""
    memory: Memory = DEFAULT_MEMORY
    """Memory for messages that are not acknowledged, as for RabbitMQ."""
    prefetch: Prefetch = "auto"
    """Largest number of messages that one consumer may hold unacknowledged, as for RabbitMQ."""
    format: Format = "auto"
    """What the bodies are, as for RabbitMQ."""
    indices: Indices = ()
    """Which ones documents may name, as for RabbitMQ."""
    max_message: MaxMessage = MAX_MESSAGE
    """The most bytes that a body may have, packed or not, as for RabbitMQ."""

    @property
    def prefetch_number(self) -> int | None:
        """The largest prefetch, where there is a number; `None`: it is found."""
        return None if self.prefetch == "auto" else self.prefetch

    @property
    def queue(self) -> str:
        """Name of the queue, as every source has it."""
        return self.name


class MemorySink(Spec):
    """A store in the memory of the process."""

    name: str = "memory"
    """Name of the store."""
