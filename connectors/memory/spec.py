"""What `pipeline.yaml` says about the queues and stores in memory, for tests and dry runs."""

from __future__ import annotations

from connectors.spec import Consumers, Format, Prefetch, Spec


class MemorySource(Spec):
    """A queue in the memory of the process."""

    name: str = "memory"
    """Name of the queue."""
    consumers: Consumers = "auto"
    """How many consumers share the queue; `auto`: one for each Bytewax worker."""
    prefetch: Prefetch = 4000
    """Messages that one consumer may hold unacknowledged."""
    format: Format = "auto"
    """What the bodies are, as for RabbitMQ."""


class MemorySink(Spec):
    """A store in the memory of the process."""

    name: str = "memory"
    """Name of the store."""
