"""Elasticsearch as a `connectors.connector.Sink`: puts the parts together and decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from connectors.elasticsearch.address import Addressing
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.indexer import Indexer, Observer
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Answer, Documents


class Elasticsearch:
    """A cluster that documents are stored in; one for a process."""

    def __init__(self, spec: ElasticsearchSink, observer: Observer | None = None) -> None:
        """Connects to nothing yet."""
        self.addressing = Addressing(spec)
        """See `Sink`."""
        self._client = Client(spec, self.addressing.index)
        self._indexer = Indexer(
            self._client.send,
            action=spec.action,
            index=self.addressing.index,
            concurrency=spec.concurrency,
            bytes_max=spec.bulk.max_bytes,
            linger=spec.bulk.linger,
            observer=observer,
        )

    def check(self) -> None:
        """See `Sink`."""
        self._client.check()

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        return self._indexer.submit(documents, reply)

    def flush(self) -> None:
        """See `Sink`."""
        self._indexer.flush()

    def close(self) -> None:
        """See `Sink`."""
        self._indexer.close()
        self._client.close()
