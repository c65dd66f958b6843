"""Snapshots of processes, as they arrive from their ports."""

from __future__ import annotations

from typing import Any

import msgspec

from flows.cli.watching.snapshot import Followed, Snapshot

URL, SECOND_URL = "http://127.0.0.1:9100", "http://127.0.0.1:9101"

QUIET: dict[str, Any] = {
    "job": "orders",
    "process": "host, process id 1",
    "version": "1.2.3",
    "at": 100.0,
    "limit": {"by": "nothing", "why": "no message waits in the queue"},
    "paused": False,
    "draining": None,
    "messages": {
        "received": 1000,
        "stored": 900,
        "dropped": 0,
        "parked": 10,
        "left_to_broker": 0,
        "unacknowledged": 90,
    },
    "queues": {"orders": 7},
    "consumers": {"orders/000": {"prefetch": 500, "bytes": 2048, "memory": 2**20}},
    "oldest_unacknowledged_seconds": 3.0,
    "groups": {"open": 2, "members": 40, "oldest": [{"key": '"a"', "seconds": 8.0, "members": 3}]},
    "sink": {"in_flight": 1, "concurrency": 4, "documents": 50},
    "retries": {"429": 20},
    "dead_letters": {"by_kind": {"unreadable": 10}},
    "cpu": {"seconds": 5.0, "cores": 0.4},
    "health": {"ready": True, "reasons": [], "warnings": []},
    "processes": [],
}
SYMPTOM = {
    "kind": "broker_not_connected",
    "cause": "orders/000 is not connected",
    "since": "2026-11-30T12:00:11Z",
    "data": "Nothing is lost.",
    "remedy": "Look at the broker.",
    "runbook": "docs/operations.md#the-broker-is-away",
}


def snapshot(**changes: Any) -> Snapshot:
    """The snapshot of a process that does little, with changes: of a part, or of a value."""
    changed = {
        name: {**QUIET[name], **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return msgspec.convert(QUIET | changed, Snapshot)


def followed(*snapshots: Snapshot, url: str = URL, received_at: float = 50.0) -> Followed:
    """A process that has sent these snapshots."""
    known = Followed(url)
    for one in snapshots:
        known = known.receive(one, received_at)
    return known
