"""Serves snapshots of a process: one at a time, or one each second as server-sent events.

All readers share one snapshot a second, and nothing runs while there is no reader. A reader has a
thread of its own; one that reads too slowly waits there alone, and its stream ends.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from flows.audit.oldest_groups import OldestGroups

EVERY = 1.0
"""Seconds between two events."""
MAX_STREAMS = 16
"""Streams that a process serves at a time."""
ANSWERED_WITHIN = 0.6
"""Seconds: the shards show their oldest groups within half a second."""


class Described(Protocol):
    """What a snapshot is made of: `flows.process.status.Status`."""

    def snapshot(self, now: float, at: float, cpu_seconds: float) -> dict[str, Any]:
        """Return a new snapshot."""


class Snapshots:
    """The latest snapshot of a process."""

    def __init__(
        self, status: Described, oldest_groups: OldestGroups, every: float = EVERY
    ) -> None:
        """`every`: seconds between two events."""
        self._status, self._oldest_groups, self.every = status, oldest_groups, every
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._latest: dict[str, Any] = {}
        self._streams = threading.Semaphore(MAX_STREAMS)

    def page(self) -> tuple[bool, dict[str, Any]]:
        """Return the page `/status`; it waits for the shards, to show the oldest groups of now."""
        self._oldest_groups.ask()
        until = time.monotonic() + ANSWERED_WITHIN
        while not self._oldest_groups.are_known and time.monotonic() < until:
            time.sleep(0.02)
        return True, self.latest(0.0)

    def latest(self, max_age: float) -> dict[str, Any]:
        """Return the latest snapshot, or a new one if it is older than `max_age` seconds."""
        with self._lock:
            now = time.monotonic()
            if now - self._made_at > max_age:
                self._latest = self._status.snapshot(now, time.time(), time.process_time())
                self._made_at = now
            return self._latest

    def stream(self) -> SnapshotStream | None:
        """Return a new stream of events, to be closed; `None`: there are `MAX_STREAMS` already."""
        if not self._streams.acquire(blocking=False):
            return None
        return SnapshotStream(self, self._oldest_groups, self._streams)


class SnapshotStream:
    """A snapshot each second, in the format of server-sent events."""

    def __init__(
        self, snapshots: Snapshots, oldest_groups: OldestGroups, places: threading.Semaphore
    ) -> None:
        self._snapshots, self._oldest_groups, self._places = snapshots, oldest_groups, places

    def __iter__(self) -> Iterator[bytes]:
        """Yield events; waits between them."""
        snapshots = self._snapshots
        while True:
            yield b"data: " + json.dumps(snapshots.latest(snapshots.every / 2)).encode() + b"\n\n"
            self._oldest_groups.ask()
            time.sleep(snapshots.every)

    def close(self) -> None:
        """Make room for another stream."""
        self._places.release()
