"""The spans of bulk requests, and where spans go."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, StatusCode

from connectors.message import Answer, Rejection
from flows.config.traces import TracesSpec
from flows.traces.sink import TracedBulkMetrics
from flows.traces.tracer import MAX_EVENTS, Tracer
from flows.values.group import Group, TraceContext


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    return Tracer(TracesSpec(service="shop"), "orders", SimpleSpanProcessor(exporter))


def group(tracer: Tracer, trace: int, flags: str) -> Span:
    context = TraceContext(f"00-{trace:032x}-{trace:016x}-{flags}")
    return tracer.group(Group(1, None, [], "count", 0.0, 1.0, contexts=[context]))


def test_a_bulk_request_links_the_groups_in_it(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """It is in the trace of the first group that is recorded; a group may have several parts."""
    first, second, third = (group(tracer, n, f) for n, f in ((1, "00"), (2, "01"), (3, "01")))

    TracedBulkMetrics(tracer).ended([first, second, second, third], 12, 0.25, "")

    [span] = exporter.get_finished_spans()
    assert span.parent == second.get_span_context()
    assert [one.context for one in span.links] == [
        second.get_span_context(),
        third.get_span_context(),
    ]
    assert (span.attributes or {})["db.operation.batch.size"] == 12
    assert span.end_time
    assert span.start_time
    assert span.end_time - span.start_time == 250_000_000
    assert span.status.is_ok
    assert span.resource.attributes["service.name"] == "shop"


def test_a_request_that_fails_is_an_error(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    tracer.request([group(tracer, 1, "01")], 3, 0.1, "503 overloaded")

    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "503 overloaded"


def test_many_rejections_are_counted(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    span = group(tracer, 1, "01")
    refused = Rejection("mapper_parsing_exception: no number", status=400)
    tracer.answer(span, Answer([0], [(at, refused) for at in range(1, MAX_EVENTS + 3)]))
    span.end()

    [ended] = exporter.get_finished_spans()
    assert [event.name for event in ended.events] == ["rejected"] * MAX_EVENTS + ["more rejected"]
    assert dict(ended.events[-1].attributes or {}) == {"hopper.documents": 2}
    assert ended.status.description == refused.reason


def test_a_request_without_recorded_groups_has_no_span(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    tracer.request([group(tracer, 1, "00")], 3, 0.1, "")

    assert exporter.get_finished_spans() == ()
