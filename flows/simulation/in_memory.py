"""Moves a pipeline to the memory connectors, with the formats and addresses of its own connectors.

Pure. The memory source reads bodies like the spec's own source, and the memory sink gives documents
the addresses of its own sink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from connectors.connector import Sink
from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.bulk_request import index_path
from connectors.elasticsearch.document_metadata import select
from connectors.elasticsearch.preparation import Division, DocumentPreparation, renumbering
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.memory.broker import MemoryQueue
from connectors.memory.request import BulkRequest
from connectors.memory.sink import MemoryStoreSink
from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySink, MemorySource
from connectors.memory.store import MemoryStore
from connectors.message import Answer, Documents
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


class StoreForElasticsearch(MemoryStoreSink):
    """A store in memory that gets the documents that Elasticsearch would get, request by request.

    A retried document is sent alone; the job may send it together with new documents.
    """

    def __init__(self, spec: ElasticsearchSink, store: MemoryStore) -> None:
        self.index = ElasticsearchAddressing(spec).index
        addressing = partial(ElasticsearchAddressing, spec)
        super().__init__(MemorySink(), store, addressing, self.index, spec.default_action)
        self._prepare, self._division = DocumentPreparation(spec), Division(spec, self.index)

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        documents, reply = self._prepare(documents, reply)
        submit, withdrawals = super().submit, list[Callable[[], None]]()
        for positions in self._division.requests(documents):
            some = select(documents, positions)
            withdrawals.append(submit(some, renumbering(positions, reply)))

        def withdraw() -> None:
            for each in withdrawals:
                each()

        return withdraw

    def lines(self, request: BulkRequest) -> list[bytes]:
        """Return the lines that the job would send."""
        return self._division.body(request.documents, request.positions).splitlines()

    @property
    def path(self) -> str:
        """Where the job would send them."""
        return f"{index_path(self.index)}/_bulk"


def memory_sink(spec: Pipeline, store: MemoryStore) -> Sink:
    """Return a sink in memory that takes the place of the spec's own sink."""
    given = spec.sink.elasticsearch
    if given is not None:
        return StoreForElasticsearch(given, store)
    return MemoryStoreSink(spec.sink.memory or MemorySink(), store)
