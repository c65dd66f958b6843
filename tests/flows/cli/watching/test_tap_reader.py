"""Samples of several processes, until none sends any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.errors import Unavailable
from flows.cli.watching.tap_reader import TapReader
from flows.process.server import serve
from flows.tap.subscription import TapCounts
from tools.local.ports import free_ports

COUNTS = b'{"place":"counts","passed":500,"sampled":100,"dropped":3}'
GROUP = (
    b'{"place":"aggregate","at":1,"key":"7","completed_by":"count","members":2,"start":0,"end":1}'
)


class EndingStream:
    """Sends events, and ends."""

    def __init__(self, *events: bytes) -> None:
        self._events = events

    def __iter__(self) -> Iterator[bytes]:
        return (b"data: %s\n\n" % event for event in self._events)

    def close(self) -> None:
        """There is nothing to close."""


def process(*events: bytes) -> str:
    """Serve a stream of these events; return its URL."""
    stream = {"/tap": lambda _query: EndingStream(*events)}
    port = free_ports(1)[0]
    return serve("127.0.0.1", port, {}, content_streams=stream, token="secret") + "/tap"


def test_samples_of_all_processes_arrive_and_counts_add_up() -> None:
    with TapReader([process(COUNTS, GROUP) for _ in range(2)], "secret") as reader:
        taken = [reader.take(20) for _ in range(3)]
        with pytest.raises(Unavailable, match="has ended the stream"):
            reader.take(20)
        assert reader.counts() == TapCounts(1000, 200, 6)

    ends = [one for one in taken if isinstance(one, str)]
    assert len(ends) == 1
    assert ends[0].endswith("/tap has ended the stream")


def test_a_process_that_refuses_says_why() -> None:
    with TapReader([process()], "guess") as reader, pytest.raises(Unavailable, match="refuses"):
        reader.take(20)


def test_a_process_of_another_version_is_reported() -> None:
    with (
        TapReader([process(b'{"place":"beyond"}')], "secret") as reader,
        pytest.raises(Unavailable, match="is of another version of Hopper"),
    ):
        reader.take(20)


def test_nothing_arrives_in_time() -> None:
    ends = threading.Event()

    class SilentStream(EndingStream):
        def __iter__(self) -> Iterator[bytes]:
            ends.wait(60)
            yield b": it has ended\n\n"

    port = free_ports(1)[0]
    silent = {"/tap": lambda _query: SilentStream()}
    url = serve("127.0.0.1", port, {}, content_streams=silent, token="secret")
    with TapReader([f"{url}/tap"], "secret") as reader:
        assert reader.take(0.01) is None
        ends.set()
