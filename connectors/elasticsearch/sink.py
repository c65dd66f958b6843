"""Elasticsearch as a `connectors.connector.Sink`: it connects the parts, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.authorization import ReloadSpec
from connectors.elasticsearch.bulk_response import Retry, read
from connectors.elasticsearch.check import check, max_content_length
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.first_answer import FirstAnswer
from connectors.elasticsearch.indexer import Indexer
from connectors.elasticsearch.observer import Observer
from connectors.elasticsearch.preparation import DocumentPreparation
from connectors.elasticsearch.round_trip import ClusterCalls
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Answer, Documents, SinkPace, SinkState


class Elasticsearch:
    """A cluster that stores documents; one for each process."""

    def __init__(
        self,
        spec: ElasticsearchSink,
        observer: Observer | None = None,
        reload: ReloadSpec | None = None,
    ) -> None:
        """Make the parts, without connecting.

        `reload` reads the spec again after a 401, for credentials that have changed.
        """
        self._spec, self._index = spec, ElasticsearchAddressing(spec).index
        self._prepare = DocumentPreparation(spec)
        self._client = Client(spec, self._index, reload)
        creates = spec.on_missing_index == "create"
        exists = None if creates else self._client.exists
        self._indexer = Indexer(
            ClusterCalls(self._client.send, self._client.read, self._client.probe, exists),
            action=spec.default_action,
            index=self._index,
            concurrency=spec.concurrency,
            max_bytes=spec.bulk.max_bytes,
            wait_for_index=spec.on_missing_index == "wait",
            observer=observer,
        )
        self._first_answer = FirstAnswer(
            lambda: read(self._client.probe(1), 0),
            lambda: self._indexer.limit(max_content_length(self._client)),
            self._indexer.note,
        )

    def addressing(self, queue: str) -> ElasticsearchAddressing:
        """See `Sink`; `queue` fills the placeholder `{queue}` of an index."""
        return ElasticsearchAddressing(self._spec, queue)

    def check(self) -> None:
        """See `Sink`."""
        found = check(self._client, self._spec, self._index)
        if isinstance(found, Retry):
            self._first_answer.start(found)
        else:
            self._indexer.limit(found)

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        return self._indexer.submit(*self._prepare(documents, reply))

    def flush(self) -> None:
        """See `Sink`."""
        self._indexer.flush()

    def pace(self) -> SinkPace:
        """See `Sink`."""
        return self._indexer.pace()

    def state(self) -> SinkState:
        """See `Sink`."""
        return self._indexer.state()

    def close(self) -> None:
        """See `Sink`."""
        self._first_answer.close()
        self._indexer.close()
        self._client.close()
