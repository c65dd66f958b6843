"""The spans of a job, on the simulation, as OpenTelemetry's own exporter in memory gets them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from connectors.memory.request import InjectedAnswer
from connectors.message import Properties
from flows.config.traces import TracesSpec
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from flows.traces.job import TracedJob
from flows.traces.tracer import Tracer


class Traced:
    """A simulated job with traces, and its spans."""

    def __init__(self, sample: float = 0.0, **aggregate: Any) -> None:
        self._exporter = InMemorySpanExporter()
        spec = TracesSpec(sample=sample)
        self.tracer = Tracer(spec, "orders", SimpleSpanProcessor(self._exporter))
        self.simulation = Simulation(
            Pipeline.model_validate(
                {
                    "version": 1,
                    "name": "orders",
                    "source": {"memory": {"name": "orders", "format": "json"}},
                    "aggregate": {"window": {"count": 3, "time": "1m"}, **aggregate},
                    "sink": {"memory": {}},
                }
            ),
            make_job=partial(TracedJob, self.tracer),
        )

    def publish(self, *bodies: bytes, trace: int | None = None, sampled: bool = True) -> None:
        """Publish messages of a trace; `None`: of none."""
        headers = None if trace is None else {"traceparent": parent(trace, sampled=sampled)}
        self.simulation.queue.publish(*bodies, properties=Properties(headers=headers))
        self.simulation.run()

    def spans(self, name: str = "group") -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]


def net(documents: list[Any]) -> dict[str, Any]:
    return {"net": sum(document["price"] for document in documents)}


def parent(trace: int, *, sampled: bool = True) -> str:
    return f"00-{trace:032x}-{trace:016x}-{'01' if sampled else '00'}"


def trace_of(span: ReadableSpan) -> int:
    assert span.context
    number: int = span.context.trace_id
    return number


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.trace_id for link in span.links]


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def test_a_group_continues_the_first_trace_and_links_all() -> None:
    job = Traced()
    job.publish(b'{"n":1}', trace=1)
    job.publish(b'{"n":2}')
    job.publish(b'{"n":3}', trace=3)

    [span] = job.spans()
    assert (trace_of(span), linked(span)) == (1, [1, 3])
    assert span.parent
    assert span.parent.is_remote
    assert span.attributes
    assert span.attributes["messaging.batch.message_count"] == 3
    assert span.attributes["hopper.completed_by"] == "count"
    assert span.resource.attributes["service.name"] == "orders"
    assert span.status.is_ok


def test_the_state_of_the_trace_is_continued() -> None:
    job = Traced()
    headers = {"traceparent": parent(1), "tracestate": "vendor=1"}
    job.simulation.queue.publish(b'{"n":1}', properties=Properties(headers=headers))
    job.simulation.pass_to(60.0)

    [span] = job.spans()
    assert span.context
    assert span.context.trace_state == {"vendor": "1"}


@pytest.mark.parametrize("reduce", [{}, {"by": "key", "reduce": {"sum": {"sum": "n"}}}])
def test_a_group_that_is_reduced_has_the_same_spans(reduce: dict[str, Any]) -> None:
    job = Traced(**reduce)
    for number in (1, 2, 3):
        job.publish(b'{"key":"a","n":%d}' % number, trace=number)

    [span] = job.spans()
    assert linked(span) == [1, 2, 3]
    assert (span.attributes or {}).get("hopper.key") == ('"a"' if reduce else None)


@pytest.mark.parametrize(
    ("sample", "trace", "sampled", "spans"),
    [
        (0.0, None, True, 0),
        (1.0, None, True, 1),
        (1.0, 1, False, 0),
        (0.0, 1, True, 1),
    ],
)
def test_the_sender_decides_and_else_the_ratio(
    sample: float, trace: int | None, sampled: bool, spans: int
) -> None:
    job = Traced(sample)
    job.publish(b'{"n":1}', b'{"n":2}', b'{"n":3}', trace=trace, sampled=sampled)

    assert len(job.spans()) == spans
    assert len(job.simulation.queue.acknowledged) == 3


def test_one_sampled_message_is_enough() -> None:
    job = Traced()
    job.publish(b'{"n":1}', trace=1, sampled=False)
    job.publish(b'{"n":2}', b'{"n":3}', trace=2)

    [span] = job.spans()
    assert (trace_of(span), linked(span)) == (2, [2, 2, 1])


def test_rejections_are_on_the_span_of_the_group_and_in_the_trace_of_the_message() -> None:
    job = Traced()
    job.simulation.store.answer(InjectedAnswer(400, item=2))
    for number in (1, 2, 3):
        job.publish(b'{"n":%d}' % number, trace=number)

    [span] = job.spans()
    [rejected] = job.spans("reject")
    reason = "answered with 400"
    assert span.status.status_code is StatusCode.ERROR
    assert reason in (span.status.description or "")
    [(name, attributes)] = events(span)
    assert (name, attributes["http.response.status_code"]) == ("rejected", 400)
    assert trace_of(rejected) == 2
    assert events(rejected) == events(span)


def test_a_message_that_no_group_gets_has_a_span_too() -> None:
    job = Traced(by="key")
    job.publish(b"{", trace=1)
    job.publish(b'{"n":1}', trace=2)
    job.publish(b"{")

    assert [trace_of(span) for span in job.spans("reject")] == [1, 2]
    assert len(job.simulation.queue.parked) == 3


def test_parked_messages_keep_their_trace() -> None:
    """The headers go along, so the consumer of the dead letters continues it."""
    job = Traced()
    job.publish(b"{", trace=1)

    [parked] = job.simulation.queue.parked
    properties = job.simulation.source.properties(parked.message)
    assert (properties.headers or {})["traceparent"] == parent(1)


def test_a_group_without_a_document_has_a_span() -> None:
    job = Traced(window={"count": 1}, by="key", reduce=f"{__name__}:net")
    job.publish(b'{"key":"a","price":"free"}', trace=1)

    [span] = job.spans()
    assert "reduce_failed" in (span.status.description or "")


def test_a_lost_connection_ends_the_span_and_forgets_contexts() -> None:
    job = Traced()
    job.simulation.go_down(10.0)
    job.publish(b'{"n":1}', b'{"n":2}', b'{"n":3}', trace=1)
    job.simulation.cut()
    job.simulation.pass_to(20.0)

    spans = job.spans()
    assert [[name for name, _ in events(span)] for span in spans] == [["withdrawn"], []]
    assert len(job.simulation.queue.acknowledged) == 3


def test_a_retried_document_keeps_the_span_open() -> None:
    job = Traced()
    job.simulation.store.answer(InjectedAnswer(429, item=1))
    job.publish(b'{"n":1}', b'{"n":2}', b'{"n":3}', trace=1)
    assert job.spans() == []

    job.simulation.pass_to(5.0)

    assert len(job.spans()) == 1
