"""Elasticsearch as a `connectors.connector.Sink`: puts the parts together and decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from connectors.elasticsearch.address import Addressing
from connectors.elasticsearch.check import check
from connectors.elasticsearch.client import Client, ReloadSpec
from connectors.elasticsearch.document_metadata import DocumentMetadata, Filled
from connectors.elasticsearch.indexer import Indexer
from connectors.elasticsearch.observer import Observer
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Answer, Documents, SinkState


class Elasticsearch:
    """A cluster that documents are stored in; one for a process."""

    def __init__(
        self,
        spec: ElasticsearchSink,
        observer: Observer | None = None,
        reload: ReloadSpec | None = None,
        queue: str = "queue",
    ) -> None:
        """Connects to nothing yet; `queue` is what the place `{queue}` of an index is filled with.

        `reload` reads the spec again, for credentials that were changed where they came from.
        """
        self.addressing = Addressing(spec, queue)
        """See `Sink`."""
        self._spec = spec
        self._columns = DocumentMetadata(spec)
        self._client = Client(spec, self.addressing.index, reload)
        self._indexer = Indexer(
            self._client.send,
            read=self._client.read,
            action=spec.default_action,
            index=self.addressing.index,
            concurrency=spec.concurrency,
            bytes_max=spec.bulk.max_bytes,
            linger=spec.bulk.linger,
            probe=self._client.probe,
            exists=None if spec.on_missing_index == "create" else self._client.exists,
            wait_for_index=spec.on_missing_index == "wait",
            observer=observer,
        )

    def check(self) -> None:
        """See `Sink`."""
        self._indexer.limit(check(self._client, self._spec, self.addressing.index))

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        if self._spec.id == "none" and documents.claims is None:
            documents = documents._replace(ids=None)  # a bulk body may bring some
        filled = self._columns.fill(documents)
        if filled.rejected:
            reply(Answer([], filled.rejected))
            reply = _places(filled, reply)
        return self._indexer.submit(filled.documents, reply)

    def flush(self) -> None:
        """See `Sink`."""
        self._indexer.flush()

    def state(self) -> SinkState:
        """See `Sink`."""
        return self._indexer.state()

    def close(self) -> None:
        """See `Sink`."""
        self._indexer.close()
        self._client.close()


def _places(filled: Filled, reply: Callable[[Answer], None]) -> Callable[[Answer], None]:
    """A reply that names documents by their positions among all."""
    places = filled.positions

    def forward(answer: Answer) -> None:
        rejected = [(places[position], why) for position, why in answer.rejected]
        conflicts = {places[position]: there for position, there in answer.conflicts.items()}
        reply(Answer([places[position] for position in answer.stored], rejected, conflicts))

    return forward
