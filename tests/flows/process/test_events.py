"""Readers of the stream share snapshots, and are not too many."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from flows.audit.oldest_groups import OldestGroups
from flows.process.events import MAX_STREAMS, Snapshots


class StatusStub:
    """Counts the snapshots that are made."""

    def __init__(self) -> None:
        self.made = 0

    def snapshot(self, now: float, at: float, cpu_seconds: float) -> dict[str, Any]:
        self.made += 1
        return {"made": self.made}


def snapshots(status: StatusStub) -> Snapshots:
    return Snapshots(status, OldestGroups())


def test_readers_share_a_snapshot() -> None:
    status = StatusStub()
    shared = snapshots(status)

    streams = [shared.stream() for _ in range(5)]
    received = [next(iter(stream)) for stream in streams if stream]

    assert received == [b'data: {"made": 1}\n\n'] * 5
    assert status.made == 1


def test_nothing_is_made_without_a_reader() -> None:
    status = StatusStub()
    snapshots(status)

    assert status.made == 0


def test_each_event_has_a_new_snapshot() -> None:
    shared = Snapshots(StatusStub(), OldestGroups(), every=0.01)
    stream = shared.stream()
    assert stream

    numbers = [json.loads(event[5:])["made"] for event in islice(stream, 3)]

    assert numbers == [1, 2, 3]


def test_there_are_so_many_streams_and_no_more() -> None:
    shared = snapshots(StatusStub())
    streams = [shared.stream() for _ in range(MAX_STREAMS)]

    assert all(streams)
    assert shared.stream() is None

    assert streams[0]
    streams[0].close()
    assert shared.stream() is not None
