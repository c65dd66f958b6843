"""What `pipeline.yaml` says about the queues and stores in memory, for tests and dry runs."""

from __future__ import annotations

from connectors.spec import (
    DEFAULT_PREFETCH,
    MAX_MESSAGE,
    Consumers,
    Format,
    Indices,
    MaxMessage,
    Prefetch,
    Spec,
)


class MemorySource(Spec):
    """A queue in the memory of the process."""

    name: str = "memory"
    """Name of the queue."""
    consumers: Consumers = "auto"
    """How many consumers share the queue; `auto`: one for each Bytewax worker."""
    prefetch: Prefetch = DEFAULT_PREFETCH
    """Messages that one consumer may hold unacknowledged; omitted: it may grow, as for RabbitMQ."""
    format: Format = "auto"
    """What the bodies are, as for RabbitMQ."""
    indices: Indices = ()
    """Which ones documents may name, as for RabbitMQ."""
    max_message: MaxMessage = MAX_MESSAGE
    """The most bytes that a body may have, packed or not, as for RabbitMQ."""

    @property
    def may_grow(self) -> bool:
        """A number that is given is an upper limit; the default is not."""
        return "prefetch" not in self.model_fields_set

    @property
    def queue(self) -> str:
        """Name of the queue, as every source has it."""
        return self.name


class MemorySink(Spec):
    """A store in the memory of the process."""

    name: str = "memory"
    """Name of the store."""
