"""What a process reports is served, to each process at a port of its own."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from connectors.errors import Unavailable
from flows.process import server
from flows.process.collector import AccountsCollector
from flows.process.server import Page, serve
from flows.spec import PORTS
from tests.flows.memory_job import make_job, pipeline
from tools.local.ports import free_ports


@pytest.fixture
def shown() -> Iterator[None]:
    """The accounts of a job, among the metrics of this process."""
    accounts = AccountsCollector(make_job(pipeline("shown")))
    REGISTRY.register(accounts)
    yield
    REGISTRY.unregister(accounts)


@pytest.mark.usefixtures("shown")
def test_each_endpoint_takes_the_next_free_port(caplog: pytest.LogCaptureFixture) -> None:
    """Processes of one host share a spec; the log says where each one answers."""
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]

        serve("127.0.0.1", port, {})

    [url] = re.findall(r"http://\S+", caplog.text)
    assert port < int(url.split(":")[2].partition("/")[0]) < port + PORTS
    assert b"# TYPE hopper_received_total counter" in urllib.request.urlopen(url).read()


@pytest.mark.usefixtures("shown")
def test_pages_are_served_beside_the_metrics() -> None:
    """By their paths; with 503 where something is wrong."""
    pages = {"/well": lambda: (True, {"a": 1}), "/ill": lambda: (False, {"reasons": ["b"]})}

    url = serve("127.0.0.1", free_ports(1)[0], pages)

    assert json.load(urllib.request.urlopen(f"{url}/well?pretty")) == {"a": 1}
    with pytest.raises(urllib.error.HTTPError) as ill:
        urllib.request.urlopen(f"{url}/ill")
    with ill.value as answer:
        assert (answer.code, json.load(answer)) == (503, {"reasons": ["b"]})
    assert (
        b"# TYPE hopper_received_total counter" in urllib.request.urlopen(f"{url}/metrics").read()
    )


def test_an_unknown_page_is_not_found() -> None:
    """Prometheus has a page of its own; the answer lists the other pages."""
    url = serve("127.0.0.1", free_ports(1)[0], {"/health": lambda: (True, {})})

    for page in ("", "/", "/favicon.ico", "/metrics/", "/healthz"):
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{url}{page}")
        with missing.value as answer:
            assert (answer.code, answer.read()) == (404, b"not found; there is /metrics, /health\n")


def test_a_host_that_is_not_local_is_reported() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1, port 9100: .*assign requested address"):
        serve("192.0.2.1", 9100, {})


@pytest.mark.parametrize("page", ["/health", "/metrics", "/"])
def test_a_request_for_a_foreign_host_is_refused(page: str) -> None:
    """It may come from a page on the Internet, in the browser of someone who may read this port."""
    pages: dict[str, Page] = {"/health": lambda: (True, {})}
    url = serve("127.0.0.1", free_ports(1)[0], pages, allowed_hosts=["hopper.orders.svc"])
    request = urllib.request.Request(url + page, headers={"Host": "attacker.example"})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        reason = b"'attacker.example' is not among metrics.allowed_hosts\n"
        assert (answer.code, answer.read()) == (403, reason)

    request = urllib.request.Request(f"{url}/health", headers={"Host": "hopper.orders.svc"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_a_command_is_carried_out_by_post() -> None:
    done: list[str] = []
    commands = {"/pause": lambda: done.append("paused")}
    url = serve("127.0.0.1", free_ports(1)[0], {}, commands)

    with pytest.raises(urllib.error.HTTPError) as looked:
        urllib.request.urlopen(f"{url}/pause")
    with looked.value as answer:
        assert (answer.code, done) == (405, [])

    with urllib.request.urlopen(f"{url}/pause", data=b"") as answer:
        assert (answer.status, json.load(answer), done) == (200, {}, ["paused"])


def test_a_command_from_a_page_of_another_site_is_refused() -> None:
    """A browser sends it without asking, and says where it comes from."""
    done: list[str] = []
    url = serve("127.0.0.1", free_ports(1)[0], {}, {"/pause": lambda: done.append("paused")})
    foreign = urllib.request.Request(
        f"{url}/pause", data=b"", headers={"Origin": "https://attacker"}
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(foreign)
    with refused.value as answer:
        assert (answer.code, done) == (403, [])


class StreamStub:
    """A stream that sends the same event as often as the reader takes it."""

    def __init__(self, event: bytes, most: int | None = None) -> None:
        self.event, self.most = event, most
        self.sent, self.closed = 0, threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        while self.most is None or self.sent < self.most:
            self.sent += 1
            yield self.event

    def close(self) -> None:
        self.closed.set()


def serve_stream(stream: StreamStub | None) -> str:
    return serve("127.0.0.1", free_ports(1)[0], {}, streams={"/events": lambda _query: stream})


def test_a_stream_sends_its_events_and_ends() -> None:
    stream = StreamStub(b"data: 1\n\n", most=3)

    with urllib.request.urlopen(f"{serve_stream(stream)}/events") as answer:
        assert answer.read() == b": events follow\n\n" + b"data: 1\n\n" * 3

    assert stream.closed.wait(5)


def test_the_stream_of_a_reader_that_is_gone_ends() -> None:
    stream = StreamStub(b"data: 1\n\n")

    with urllib.request.urlopen(f"{serve_stream(stream)}/events") as answer:
        answer.readline()

    assert stream.closed.wait(5)


def test_the_stream_of_a_reader_that_does_not_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then only the thread of that reader waits."""
    monkeypatch.setattr(server, "READER_WAITS", 0.1)
    stream = StreamStub(b"x" * 1_000_000)
    url = serve_stream(stream)

    with urllib.request.urlopen(f"{url}/events"):
        assert stream.closed.wait(5)
        assert b"process_cpu" in urllib.request.urlopen(f"{url}/metrics").read()


def test_too_many_readers_are_refused() -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{serve_stream(None)}/events")
    with refused.value as answer:
        assert (answer.code, answer.read()) == (503, b"too many readers; try again later\n")
