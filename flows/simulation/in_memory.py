"""Moves a pipeline to the memory connectors, with the formats and addresses of its own connectors.

Pure. The memory source reads bodies like the spec's own source, and the memory sink gives documents
the addresses of its own sink.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.memory.broker import MemoryQueue
from connectors.memory.sink import MemoryStoreSink
from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySink, MemorySource
from connectors.memory.store import MemoryStore
from flows.spec import Pipeline

SHARED = ("consumers", "prefetch", "format", "indices", "max_message")
"""The keys that both sources have."""


def on_memory(spec: Pipeline) -> Pipeline:
    """Return the same pipeline with a source in memory."""
    given = spec.source.rabbitmq
    if given is None:
        return spec
    keys = {name: getattr(given, name) for name in SHARED if name in given.model_fields_set}
    memory = MemorySource().model_copy(update={"name": given.queue, **keys})
    source = spec.source.model_copy(update={"rabbitmq": None, "memory": memory})
    return spec.model_copy(update={"source": source})


def memory_source(spec: Pipeline, queues: Mapping[str, MemoryQueue]) -> MemoryQueueSource:
    """Return the source of a pipeline that is `on_memory`, for one process with one worker."""
    assert spec.source.memory is not None
    return MemoryQueueSource(spec.source.memory, workers=1, queues=queues)


def memory_sink(spec: Pipeline, store: MemoryStore) -> MemoryStoreSink:
    """Return a sink in memory that addresses documents like the spec's own sink."""
    given = spec.sink.elasticsearch
    if given is None:
        return MemoryStoreSink(spec.sink.memory or MemorySink(), store)
    return MemoryStoreSink(MemorySink(), store, partial(ElasticsearchAddressing, given))
