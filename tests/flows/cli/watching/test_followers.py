"""Processes are followed: over an end of the stream, and over a new start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from flows.cli.watching.followers import Followers
from flows.cli.watching.job_now import JobNow
from tests.flows.cli.watching.snapshots import snapshot
from tests.waiting import until
from tools.local.ports import free_ports


@contextmanager
def process(port: int, *events: bytes) -> Iterator[threading.Event]:
    """Serve these events to each reader, and end the stream when the event is set."""
    ends = threading.Event()

    class StreamHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b": events follow\n\n")
            for event in events:
                self.wfile.write(b"data: %s\n\n" % event)
            ends.wait(60)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), StreamHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield ends
        ends.set()
        server.shutdown()


Follow = Callable[[int], Followers]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Follows the process at a port until the end of the test."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(
            Followers("orders", [f"http://127.0.0.1:{port}"], retry_after=0.01)
        )


def missing(now: JobNow) -> str | None:
    [process] = now.processes
    return process.missing


FIRST, SECOND = (msgspec.json.encode(snapshot(at=at)) for at in (100.0, 101.0))


def test_a_process_is_followed_over_a_new_start(follow: Follow) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    followed = follow(port)
    until(lambda: missing(followed.now()) == f"{url} does not answer: Connection refused")

    with process(port, FIRST, SECOND) as ends:
        until(lambda: missing(followed.now()) is None)
        followed.wait(2, 20)
        assert followed.now().rates.received == 0.0
        ends.set()
    until(lambda: missing(followed.now()) not in (None, f"{url} has ended the stream"))

    with process(port, FIRST):
        until(lambda: missing(followed.now()) is None)


def test_waiting_ends_when_a_process_does_not_answer(follow: Follow) -> None:
    followed = follow(free_ports(1)[0])

    followed.wait(2, 60)

    assert (missing(followed.now()) or "").endswith("Connection refused")


def test_a_process_of_another_job_is_missing(follow: Follow) -> None:
    [port] = free_ports(1)
    other = msgspec.json.encode(snapshot(job="others"))

    with process(port, other):
        followed = follow(port)
        until(lambda: "is a process of 'others', not of orders" in (missing(followed.now()) or ""))


def test_a_process_of_another_version_is_missing(follow: Follow) -> None:
    [port] = free_ports(1)

    with process(port, b'{"job": "orders"}'):
        followed = follow(port)
        until(lambda: "is of another version of Hopper" in (missing(followed.now()) or ""))
