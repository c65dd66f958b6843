"""Decides what limits a job now, and why.

Pure. The first of these rules that holds is the answer; `Cause` has their names.

Rule 1: a job that drains or is paused is limited by that.
Rule 2: a consumer that is not connected, or has stopped at the limit on rejections, receives
        nothing; and while the disk refuses commits, no message is acknowledged.
Rule 3: a sink that does not answer, or refuses documents, is the limit.
Rule 4: a process that keeps a core busy is limited by its CPU: its steps share one interpreter. Its
        sink then seems to be slow, because nothing reads the answers.
Rule 5: a sink at its limit with documents that wait is the limit.
Rule 6: a full consumer is limited by its memory, if that is nearly used up, else by its prefetch.
Rule 7: without a waiting message nothing limits the job; else the broker delivers no faster.
Rule 8: of several processes, the one with the first of these answers limits the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from connectors.connector import Load
from connectors.message import SinkPace, SinkState
from connectors.units import size_text
from flows.audit.backpressure import MOSTLY

BUSY = 0.9
"""Cores: the process keeps one of them busy."""

Cause = Literal[
    "drain",
    "pause",
    "reject_limit",
    "state",
    "sink",
    "cpu",
    "memory",
    "prefetch",
    "broker",
    "nothing",
]
"""In the order of the rules, the worst first."""


class Situation(NamedTuple):
    """What a process does now."""

    draining: str | None = None
    """Why the job drains; `None`: it does not."""
    paused: bool = False
    disconnected: Mapping[str, str] = {}
    """Consumers that are not connected, each with the reason, or an empty text."""
    stopped: Sequence[str] = ()
    """Why consumers read nothing, or only probes."""
    refused_commits: str = ""
    """Why the disk of the state refuses commits."""
    sink: SinkState = SinkState()
    pace: SinkPace = SinkPace()
    documents: int = 0
    """Documents at the sink that have no answer yet."""
    members: int = 0
    """Messages in open groups."""
    loads: Sequence[Load] = ()
    """One for each consumer."""
    cores: float | None = None
    """Cores that the process keeps busy; `None`: not measured yet."""
    waiting: Mapping[str, int] = {}
    """Messages that wait, by queue."""


class Limit(NamedTuple):
    """What limits the job."""

    by: Cause
    why: str


def limit(now: Situation) -> Limit:
    """Decide what limits the job."""
    return _stopped(now) or _sink_or_cpu(now) or _full(now) or _flowing(now)


def most_limiting(causes: Iterable[Cause]) -> Cause:
    """Return what limits a job of several processes, of which each has a cause. Rule 8."""
    return min(causes, key=get_args(Cause).index)


def _stopped(now: Situation) -> Limit | None:
    """Rules 1 and 2."""
    if now.draining is not None:
        return Limit("drain", f"the job drains: {now.draining}")
    if now.paused:
        return Limit("pause", "the job is paused: consumers receive nothing until hopper resume")
    if now.disconnected:
        name, why = next(iter(now.disconnected.items()))
        return Limit("broker", f"{name} is not connected{f': {why}' if why else ''}")
    if now.stopped:
        return Limit("reject_limit", now.stopped[0])
    return Limit("state", now.refused_commits) if now.refused_commits else None


def _sink_or_cpu(now: Situation) -> Limit | None:
    """Rules 3, 4 and 5."""
    if not now.sink.answers:
        return Limit("sink", f"the sink does not answer; {now.documents} documents wait for it")
    if now.sink.refusal is not None:
        return Limit("sink", f"the sink refuses documents: {now.sink.refusal}")
    if now.cores is not None and now.cores >= BUSY:
        share = f"{now.cores:.0%} of a core"
        return Limit("cpu", f"the process takes {share}: more processes share the work")
    if now.sink.has_backlog:
        requests = f"{now.pace.in_flight} of {now.pace.concurrency} requests are in flight"
        return Limit("sink", f"{requests}, and {now.documents} documents wait for an answer")
    return None


def _full(now: Situation) -> Limit | None:
    """Rule 6."""
    full = [load for load in now.loads if load.is_full]
    if not full:
        return None
    held, at = sum(load.held for load in full), f"{now.members} in open groups"
    where = f"{at}, {now.documents} documents at the sink"
    used, memory = sum(load.bytes for load in full), sum(load.memory for load in full)
    if used > MOSTLY * memory:
        return Limit("memory", f"{size_text(memory)} of memory hold {held} messages: {where}")
    prefetch = sum(load.prefetch for load in full)
    return Limit("prefetch", f"{held} messages are in flight, the prefetch is {prefetch}: {where}")


def _flowing(now: Situation) -> Limit:
    """Rule 7."""
    waiting = sum(now.waiting.values())
    if not waiting:
        return Limit("nothing", "no message waits in the queue: the job keeps up with publishers")
    return Limit(
        "broker",
        f"{waiting} messages wait, and the consumers have room: the broker delivers no faster",
    )
