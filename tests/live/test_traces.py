"""A trace that begins at the publisher goes on to a collector, and into a dead letter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pika
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

PUBLISHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The span of the publisher; the example of W3C Trace Context."""
TRACE, SPAN = bytes.fromhex(PUBLISHER[3:35]), bytes.fromhex(PUBLISHER[36:52])


class Collector:
    """A receiver of OTLP over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[ExportTraceServiceRequest] = []

    def spans(self) -> dict[str, Span]:
        """The spans of all requests, by their names."""
        return {
            span.name: span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


@contextmanager
def collecting() -> Iterator[Collector]:
    class SpanHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), SpanHandler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def test_a_trace_goes_on(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """The span of the group is below that of the publisher, the bulk request below the group."""
    properties = pika.BasicProperties(
        headers={"traceparent": PUBLISHER}, content_type="application/json"
    )
    rig.publish(b'{"n":1}', b"{", properties=properties)
    path = spec(tmp_path, rig, events)

    with collecting() as collector:
        path.write_text(f"{path.read_text()}traces: {{endpoint: '{collector.url}', sample: 0}}\n")
        with JobProcess(path) as job:
            job.wait_for_log("consuming", 60)
            until(lambda: events.count() == 1 and rig.parked_whole())
            assert job.drain() == 0

    spans = collector.spans()
    assert spans.keys() == {"group", "bulk", "reject"}, job.log
    assert {span.trace_id for span in spans.values()} == {TRACE}
    assert spans["group"].parent_span_id == spans["reject"].parent_span_id == SPAN
    assert [link.span_id for link in spans["group"].links] == [SPAN]
    assert spans["bulk"].parent_span_id == spans["group"].span_id
    assert spans["reject"].status.code == Status.STATUS_CODE_ERROR
    [(_, parked)] = rig.parked_whole()
    assert parked.headers["traceparent"] == PUBLISHER
