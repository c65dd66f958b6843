"""The snapshots of a process, as far as `hopper top` shows them, and which of them are known.

Pure. `flows/process/status.py` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from flows.audit.limit import Cause


class LimitShown(msgspec.Struct):
    """What limits the job, or one process."""

    by: Cause
    why: str


class MessagesShown(msgspec.Struct):
    """Messages by outcome."""

    received: int
    stored: int
    dropped: int
    parked: int
    left_to_broker: int
    unacknowledged: int


class ConsumerShown(msgspec.Struct):
    """A consumer's limits, and the bytes that it holds."""

    prefetch: int
    bytes: int
    memory: int


class OldestGroup(msgspec.Struct):
    """An open group."""

    key: str | None
    """Canonical JSON; null: groups have no keys."""
    seconds: float
    """Its age."""
    members: int


class GroupsShown(msgspec.Struct):
    """Open groups."""

    open: int
    members: int
    oldest: list[OldestGroup]


class SinkShown(msgspec.Struct):
    """What the sink has."""

    in_flight: int
    concurrency: int
    documents: int


class DeadLettersShown(msgspec.Struct):
    """Dead letters since the start."""

    by_kind: dict[str, int]


class CpuShown(msgspec.Struct):
    """What the process takes."""

    cores: float | None
    """Cores that it keeps busy; `None`: not measured yet."""


class SymptomShown(msgspec.Struct):
    """A reason or a warning."""

    kind: str
    cause: str
    since: str | None
    data: str
    remedy: str
    runbook: str


class HealthShown(msgspec.Struct):
    """What is wrong."""

    ready: bool
    reasons: list[SymptomShown]
    warnings: list[SymptomShown]


class ListedProcess(msgspec.Struct):
    """Where a process of the cluster serves its page."""

    host: str
    """Empty: the host of the process that says so."""
    port: int


class Snapshot(msgspec.Struct):
    """What a process says of itself, as far as `hopper top` shows it."""

    job: str
    process: str
    version: str
    at: float
    limit: LimitShown
    paused: bool
    draining: str | None
    messages: MessagesShown
    queues: dict[str, int]
    consumers: dict[str, ConsumerShown]
    oldest_unacknowledged_seconds: float
    groups: GroupsShown
    sink: SinkShown
    retries: dict[str, int]
    dead_letters: DeadLettersShown
    cpu: CpuShown
    health: HealthShown
    processes: list[ListedProcess]


class Followed(NamedTuple):
    """What is known of one process."""

    url: str
    latest: Snapshot | None = None
    """`None`: it has never answered."""
    before: Snapshot | None = None
    """The snapshot before the latest one."""
    received_at: float = 0.0
    """When the latest one arrived, in seconds of a clock that only goes forward."""
    problem: str = ""
    """Why it does not answer; empty: it does, as far as is known."""

    def receive(self, snapshot: Snapshot, now: float) -> Followed:
        """Return what is known after one more snapshot."""
        return Followed(self.url, snapshot, self.latest, now)


def others_of_cluster(found: Sequence[Followed]) -> list[str]:
    """Return the URLs of processes of the cluster that are not among `found`.

    A process lists the ports that all should have. Where another program has taken one of them, a
    process has a later port: so of each host no more are returned than are missing there.
    """
    reporter = next((one for one in found if one.latest and one.latest.processes), None)
    if reporter is None or reporter.latest is None:
        return []
    own, others = _host(reporter.url), list[str]()
    here = [one.url for one in found]
    for host, places in groupby(reporter.latest.processes, key=lambda place: place.host or own):
        name = f"[{host}]" if ":" in host else host
        listed = [f"http://{name}:{place.port}" for place in places]
        missing = len(listed) - sum(_host(url) == host for url in here)
        others += [url for url in listed if url not in here][: max(0, missing)]
    return others


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
