"""Makes spans, and sends them to a collector; the only module that knows OpenTelemetry.

A span is recorded if the sender of a message records its trace, or, where no message names a trace,
for the share of groups that the spec says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connectors.message import Answer, Rejection
from flows.config.traces import TracesSpec
from flows.traces.contexts import MAX_LINKS
from flows.values.group import Group, TraceContext
from flows.version import VERSION

EXPORT_SECONDS = 2.0
"""Timeout of a request to the collector: the end of the job waits for the last one."""
MAX_EVENTS = 8
"""Rejections that a group's span names; the others are counted only."""


class Tracer:
    """Makes the spans of a job."""

    def __init__(self, spec: TracesSpec, name: str, processor: SpanProcessor | None = None) -> None:
        """`name`: of the job; `processor`: takes the spans; `None`: they go to the collector."""
        resource = Resource.create(
            {"service.name": spec.service or name, "service.version": VERSION}
        )
        sampler = ParentBased(TraceIdRatioBased(spec.sample))
        self._provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor or _to_collector(spec.endpoint))
        self._tracer = self._provider.get_tracer("hopper", VERSION)

    def group(self, group: Group) -> Span:
        """Begin the span of a group, which continues the trace of its first context."""
        links = [Link(get_current_span(_remote(one)).get_span_context()) for one in group.contexts]
        return self._tracer.start_span(
            "group",
            _remote(group.contexts[0]) if group.contexts else Context(),
            SpanKind.CONSUMER,
            {
                "messaging.system": "rabbitmq",
                "messaging.operation.type": "process",
                "messaging.batch.message_count": group.to_settle,
                "hopper.completed_by": group.completed_by,
                "hopper.start": group.start,
                "hopper.end": group.end,
                **({} if group.key is None else {"hopper.key": group.key}),
            },
            links,
        )

    def refuse(self, group: Group, rejection: Rejection) -> None:
        """Record a group that has no document."""
        span = self.group(group)
        _reject(span, [rejection])
        span.end()

    def answer(self, span: Span, answer: Answer) -> None:
        """Record what the sink answers about documents of a group."""
        if answer.rejected:
            _reject(span, [why for _, why in answer.rejected])
        if answer.failed_claims:
            span.add_event("conflict", {"hopper.documents": len(answer.failed_claims)})

    def request(self, spans: Sequence[Span], documents: int, seconds: float, failure: str) -> None:
        """Record a bulk request that has just ended, with documents of the groups of these spans.

        Only if a span of a group is recorded.
        """
        recorded = [one for one in spans if one.get_span_context().trace_flags.sampled]
        if not recorded:
            return
        now = time.time_ns()
        span = self._tracer.start_span(
            "bulk",
            set_span_in_context(recorded[0], Context()),
            SpanKind.CLIENT,
            {
                "db.system.name": "elasticsearch",
                "db.operation.name": "bulk",
                "db.operation.batch.size": documents,
            },
            [Link(one.get_span_context()) for one in recorded[:MAX_LINKS]],
            now - int(seconds * 1e9),
        )
        if failure:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(now)

    def reject(self, context: TraceContext, rejection: Rejection) -> None:
        """Record a message that is rejected, in the trace that it belongs to."""
        span = self._tracer.start_span("reject", _remote(context), SpanKind.CONSUMER)
        _reject(span, [rejection])
        span.end()

    def close(self) -> None:
        """Send the spans that are left."""
        self._provider.shutdown()


def _reject(span: Span, rejections: Sequence[Rejection]) -> None:
    span.set_status(Status(StatusCode.ERROR, rejections[0].reason))
    for one in rejections[:MAX_EVENTS]:
        status = {} if one.status is None else {"http.response.status_code": one.status}
        span.add_event("rejected", {"hopper.reason": one.reason, **status})
    if len(rejections) > MAX_EVENTS:
        span.add_event("more rejected", {"hopper.documents": len(rejections) - MAX_EVENTS})


def _remote(context: TraceContext) -> Context:
    headers = {"traceparent": context.traceparent}
    if context.tracestate:
        headers["tracestate"] = context.tracestate
    return _W3C.extract(headers, Context())


def _to_collector(endpoint: str) -> BatchSpanProcessor:
    url = f"{endpoint.rstrip('/')}/v1/traces"
    return BatchSpanProcessor(OTLPSpanExporter(url, timeout=EXPORT_SECONDS))


_W3C = TraceContextTextMapPropagator()
