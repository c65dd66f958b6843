"""A pipeline on the memory connectors: what its own source and sink would do with messages.

Pure. Bodies are read as the spec's own source reads them, and documents go where its own sink sends
them.
"""

from __future__ import annotations

from connectors.connector import Addressing
from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.memory.sink import MemoryStoreSink
from connectors.memory.source import MemoryQueue, MemoryQueueSource
from connectors.memory.spec import MemorySink, MemorySource
from connectors.memory.store import MemoryStore
from flows.spec import Pipeline

SHARED = ("consumers", "prefetch", "format", "indices", "max_message")
"""What both sources have, under the same names."""


def on_memory(spec: Pipeline) -> Pipeline:
    """The same pipeline, with a source in memory."""
    given = spec.source.rabbitmq
    if given is None:
        return spec
    told = {name: getattr(given, name) for name in SHARED if name in given.model_fields_set}
    memory = MemorySource(name=given.queue).model_copy(update=told)
    source = spec.source.model_copy(update={"rabbitmq": None, "memory": memory})
    return spec.model_copy(update={"source": source})


def memory_source(spec: Pipeline, queue: MemoryQueue) -> MemoryQueueSource:
    """The source of a pipeline that is `on_memory`, of one process with one worker."""
    assert spec.source.memory is not None
    return MemoryQueueSource(spec.source.memory, workers=1, messages=queue)


def memory_sink(spec: Pipeline, store: MemoryStore) -> MemoryStoreSink:
    """A sink in memory, whose documents have the addresses that the spec's own sink gives them."""
    given = spec.sink.elasticsearch
    addressing: Addressing | None = None
    if given is not None:
        addressing = ElasticsearchAddressing(given, spec.source.chosen.queue)
    return MemoryStoreSink(spec.sink.memory or MemorySink(), store, addressing)
