"""Makes one view of a job from the latest snapshots of its processes.

Pure. A snapshot has counters; two of them make a rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nlargest

import msgspec

from flows.audit.limit import most_limiting
from flows.audit.oldest_groups import SHOWN
from flows.cli.watching.snapshot import Followed, HealthShown, LimitShown, OldestGroup, Snapshot

SILENT_AFTER = 4.0
"""Seconds without a snapshot, after which a process is missing: it sends one each second."""


class Rates(msgspec.Struct):
    """Messages a second; null: not known yet."""

    received: float | None
    stored: float | None
    dead_letters: float | None
    retries: float | None


class ProblemShown(msgspec.Struct, kw_only=True):
    """A reason why a process is not healthy, or a warning."""

    url: str
    """Of the process."""
    warning: bool
    kind: str
    cause: str
    since: str | None
    data: str
    """What it means for the messages."""
    remedy: str
    runbook: str


class ProcessNow(msgspec.Struct, kw_only=True):
    """One process."""

    url: str
    process: str | None
    """Its host and its process id; null: it has never answered."""
    missing: str | None
    """Why it does not answer; null: it does. Its other values are then the last known ones."""
    silent_seconds: float | None
    """Since its last answer; null: it has never answered."""
    limit: LimitShown | None
    rates: Rates
    unacknowledged: int
    cores: float | None
    """Cores that it keeps busy; null: not known yet."""


class JobNow(msgspec.Struct, kw_only=True):
    """What a job does now: `hopper top --json` prints one for each second.

    The numbers are sums over the processes that answer, and count from their start.
    """

    job: str
    version: str | None
    at: float | None
    """In seconds since 1970; null: no process answers."""
    limit: LimitShown | None
    """Null: no process answers."""
    paused: bool
    draining: str | None
    rates: Rates
    stored: int
    unacknowledged: int
    prefetch: int
    held_bytes: int
    memory_bytes: int
    oldest_unacknowledged_seconds: float
    queues: dict[str, int]
    """Messages that wait, by queue."""
    open_groups: int
    members: int
    """Messages in open groups."""
    oldest_groups: list[OldestGroup]
    requests_in_flight: int
    concurrency: int
    """Bulk requests that may be in flight."""
    documents: int
    """Documents at the sink that have no answer yet."""
    retries: dict[str, int]
    """Retried documents, by reason."""
    dead_letters: dict[str, int]
    """By kind of reason."""
    healthy: bool
    """Every process answers, and none has a reason."""
    ready: bool
    problems: list[ProblemShown]
    processes: list[ProcessNow]


def job_now(job: str, processes: Sequence[Followed], now: float) -> JobNow:
    """Return the view of a job; `now`: by the clock of `Followed.received_at`."""
    shown = [_process(one, now) for one in processes]
    there = [
        (one.url, one.latest)
        for one, process in zip(processes, shown, strict=True)
        if one.latest is not None and process.missing is None
    ]
    latest = [snapshot for _, snapshot in there]
    consumers = [consumer for one in latest for consumer in one.consumers.values()]
    oldest = [group for one in latest for group in one.groups.oldest]
    draining = [one.draining for one in latest if one.draining is not None]
    problems = [problem for url, one in there for problem in _problems(url, one.health)]
    is_whole = len(there) == len(processes)
    return JobNow(
        job=job,
        version=latest[0].version if latest else None,
        at=max((one.at for one in latest), default=None),
        limit=_limit(latest),
        paused=any(one.paused for one in latest),
        draining=draining[0] if draining else None,
        rates=_sum_of_rates([one.rates for one in shown if one.missing is None]),
        stored=sum(one.messages.stored for one in latest),
        unacknowledged=sum(one.messages.unacknowledged for one in latest),
        prefetch=sum(one.prefetch for one in consumers),
        held_bytes=sum(one.bytes for one in consumers),
        memory_bytes=sum(one.memory for one in consumers),
        oldest_unacknowledged_seconds=max(
            (one.oldest_unacknowledged_seconds for one in latest), default=0.0
        ),
        queues=_merged((one.queues for one in latest), max),  # each process counts the whole queue
        open_groups=sum(one.groups.open for one in latest),
        members=sum(one.groups.members for one in latest),
        oldest_groups=nlargest(SHOWN, oldest, key=lambda group: group.seconds),
        requests_in_flight=sum(one.sink.in_flight for one in latest),
        concurrency=sum(one.sink.concurrency for one in latest),
        documents=sum(one.sink.documents for one in latest),
        retries=_merged((one.retries for one in latest), sum),
        dead_letters=_merged((one.dead_letters.by_kind for one in latest), sum),
        healthy=is_whole and not any(one.health.reasons for one in latest),
        ready=is_whole and all(one.health.ready for one in latest),
        problems=sorted(problems, key=lambda one: one.warning),
        processes=shown,
    )


def _process(one: Followed, now: float) -> ProcessNow:
    latest = one.latest
    silent = None if latest is None else max(0.0, now - one.received_at)
    missing = one.problem or None
    if missing is None and (silent is None or silent > SILENT_AFTER):
        missing = f"{one.url} does not answer"
    return ProcessNow(
        url=one.url,
        process=None if latest is None else latest.process,
        missing=missing,
        silent_seconds=silent,
        limit=None if latest is None else latest.limit,
        rates=_rates(one.before, latest),
        unacknowledged=0 if latest is None else latest.messages.unacknowledged,
        cores=None if latest is None else latest.cpu.cores,
    )


def _limit(latest: Sequence[Snapshot]) -> LimitShown | None:
    """Return what limits the job; the process is named where there are several."""
    if not latest:
        return None
    by = most_limiting([one.limit.by for one in latest])
    first = next(one for one in latest if one.limit.by == by)
    where = f" ({first.process})" if len(latest) > 1 else ""
    return LimitShown(by, first.limit.why + where)


def _rates(before: Snapshot | None, latest: Snapshot | None) -> Rates:
    if before is None or latest is None or latest.at <= before.at:
        return Rates(None, None, None, None)
    seconds = latest.at - before.at
    rates = [
        (now - then) / seconds if now >= then else None  # fewer: the process has started again
        for then, now in zip(_counters(before), _counters(latest), strict=True)
    ]
    return Rates(*rates)


def _counters(one: Snapshot) -> tuple[int, int, int, int]:
    """Return the counters of `Rates`, in its order."""
    messages = one.messages
    dead = messages.parked + messages.left_to_broker
    return messages.received, messages.stored, dead, sum(one.retries.values())


def _sum_of_rates(rates: Sequence[Rates]) -> Rates:
    columns = zip(*map(msgspec.structs.astuple, rates), strict=True)
    known = [[one for one in column if one is not None] for column in columns]
    return Rates(*(sum(column) if column else None for column in known or [[]] * 4))


def _problems(url: str, health: HealthShown) -> Iterator[ProblemShown]:
    for warning, symptoms in ((False, health.reasons), (True, health.warnings)):
        for one in symptoms:
            yield ProblemShown(url=url, warning=warning, **msgspec.structs.asdict(one))


def _merged(
    counts: Iterable[Mapping[str, int]], merge: Callable[[list[int]], int]
) -> dict[str, int]:
    """Return the counts of all processes by name, the largest first."""
    values: dict[str, list[int]] = {}
    for one in counts:
        for name, count in one.items():
            values.setdefault(name, []).append(count)
    merged = {name: merge(numbers) for name, numbers in values.items()}
    return dict(sorted(merged.items(), key=lambda each: -each[1]))
