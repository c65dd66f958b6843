"""Makes the parts of a job with traces, in place of those of every job."""

from __future__ import annotations

from typing import Any

from connectors.connector import Sink, Source
from flows.job import Job
from flows.spec import Pipeline
from flows.steps.aggregate import Aggregate
from flows.traces.contexts import TraceContexts
from flows.traces.sink import TracedSink, traced_documents
from flows.traces.steps import TracedAcknowledge, TracedAggregate
from flows.traces.tracer import Tracer


class TracedJob(Job):
    """A job whose groups are spans; see `Job` for the other arguments."""

    def __init__(
        self, tracer: Tracer, spec: Pipeline, source: Source, sink: Sink, *rest: Any, **more: Any
    ) -> None:
        super().__init__(spec, source, TracedSink(sink, tracer), *rest, **more)
        self._tracer = tracer
        self.documents = traced_documents(self.documents, tracer)

    def aggregate(self, _resumed: None = None) -> Aggregate:
        """The `aggregate` step, for one shard."""
        return TracedAggregate(super().aggregate(), TraceContexts(self.source.properties))

    def acknowledge(self) -> TracedAcknowledge:
        """The `acknowledge` step."""
        return TracedAcknowledge(super().acknowledge(), self.source.properties, self._tracer)

    def end(self) -> None:
        """Send the spans that are left."""
        super().end()
        self._tracer.close()
