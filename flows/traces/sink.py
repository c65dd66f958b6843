"""Records what becomes of groups: around the sink, and around what makes their documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connectors import metrics
from connectors.connector import Addressing, Sink
from connectors.message import Answer, Documents, SinkPace, SinkState
from flows.outcomes.documents import MakeDocuments
from flows.traces.tracer import Tracer
from flows.values.group import Group, Unwritten


def traced_documents(make: MakeDocuments, tracer: Tracer) -> MakeDocuments:
    """Return a function that makes the same documents, and tells the sink their group."""

    def documents(group: Group) -> Documents | Unwritten:
        made = make(group)
        if isinstance(made, Unwritten):
            tracer.refuse(group, made.rejection)
            return made
        return made._replace(about=group)

    return documents


class TracedBulkMetrics(metrics.BulkMetrics):
    """Counts bulk requests, and records each of them in the traces of its groups."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def ended(self, about: Sequence[Any], documents: int, seconds: float, failure: str) -> None:
        """See `Observer`; the documents are about the spans of their groups."""
        self._tracer.request(list(dict.fromkeys(about)), documents, seconds, failure)


class TracedSink:
    """A sink; each group that is submitted has a span, until all of its documents are answered."""

    def __init__(self, sink: Sink, tracer: Tracer) -> None:
        self._sink, self._tracer = sink, tracer

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`; `documents` are about their group."""
        span = self._tracer.group(documents.about)
        left = len(documents.sources)

        def answered(answer: Answer) -> None:
            nonlocal left
            left -= len(answer.stored) + len(answer.rejected) + len(answer.failed_claims)
            self._tracer.answer(span, answer)
            if not left:
                span.end()
            reply(answer)

        withdraw = self._sink.submit(documents._replace(about=span), answered)

        def withdrawn() -> None:
            withdraw()
            if left:
                span.add_event("withdrawn")
                span.end()

        return withdrawn

    def addressing(self, queue: str) -> Addressing:
        """See `Sink`."""
        return self._sink.addressing(queue)

    def check(self) -> None:
        """See `Sink`."""
        self._sink.check()

    def flush(self) -> None:
        """See `Sink`."""
        self._sink.flush()

    def pace(self) -> SinkPace:
        """See `Sink`."""
        return self._sink.pace()

    def state(self) -> SinkState:
        """See `Sink`."""
        return self._sink.state()

    def close(self) -> None:
        """See `Sink`."""
        self._sink.close()
