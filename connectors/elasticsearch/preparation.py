"""What is done with the documents of a `submit` before they are sent, and how they are divided.

Pure. The sink and `hopper try` share it: what a try shows is what the job would send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connectors.elasticsearch.backlog import Backlog
from connectors.elasticsearch.bulk_request import BulkBody, BulkLines
from connectors.elasticsearch.document_metadata import DocumentMetadata
from connectors.elasticsearch.per_id_order import document_names
from connectors.elasticsearch.request import Batch
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Answer, Documents

Replying = Callable[[Answer], None]


class DocumentPreparation:
    """Fills in versions and routings, and rejects documents that lack what they need."""

    def __init__(self, spec: ElasticsearchSink) -> None:
        self._drops_ids = spec.id == "none"
        self._metadata = DocumentMetadata(spec)

    def __call__(self, documents: Documents, reply: Replying) -> tuple[Documents, Replying]:
        """Return the documents to send, and what takes the answers about these.

        `reply` hears of the rejected ones at once, and of the others by their position among all.
        """
        if self._drops_ids and documents.claims is None:
            documents = documents._replace(ids=None)  # a bulk body may have some
        filled = self._metadata.fill(documents)
        if filled.rejected:
            reply(Answer([], filled.rejected))
            reply = renumbering(filled.positions, reply)
        return filled.documents, reply


class Division:
    """Divides documents among requests as the job does when Elasticsearch answers at once."""

    def __init__(self, spec: ElasticsearchSink, index: str | None) -> None:
        """`index`: for documents that name none."""
        self._spec, self._index = spec, index
        self._lines = BulkLines(spec.default_action)

    def requests(self, documents: Documents) -> Iterator[Sequence[int]]:
        """Yield the positions of the documents of each request."""
        if not documents.sources:
            return
        backlog = Backlog(self._spec.bulk.max_bytes, self._spec.concurrency == 1)
        backlog.add(self._batch(documents), now=0.0)
        backlog.flush()
        while (request := backlog.take(now=0.0, in_flight=0)) is not None:
            yield [position for part in request.parts for position in part.positions]
            backlog.finish(request)

    def body(self, documents: Documents, positions: Sequence[int]) -> bytes:
        """Return the body of a request with these documents."""
        batch = self._batch(documents)
        return b"".join(BulkBody(self._lines, [batch.columns(positions)], batch.size(positions)))

    def _batch(self, documents: Documents) -> Batch:
        names = document_names(documents, self._spec.default_action, self._index)
        sent = documents._replace(sources=self._lines.sources(documents))
        return Batch(sent, self._lines.heads(documents), self._lines.overhead, names)


def renumbering(positions: Sequence[int], reply: Replying) -> Replying:
    """Return a reply that translates the positions of an answer into those of all documents."""

    def forward(answer: Answer) -> None:
        rejected = [(positions[position], why) for position, why in answer.rejected]
        failed_claims = {
            positions[position]: there for position, there in answer.failed_claims.items()
        }
        reply(Answer([positions[position] for position in answer.stored], rejected, failed_claims))

    return forward
