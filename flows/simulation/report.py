"""Reports what happened in a simulation: groups, bulk requests, documents, dead letters, and so on.

Pure. Times are seconds after the beginning, and messages are named by their numbers, from 1 on, in
the order in which they were published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from connectors.memory.request import BulkRequest
from connectors.memory.store import Stored
from connectors.message import Answer
from flows.simulation.in_memory import StoreForElasticsearch
from flows.simulation.simulation import Event, Left, Simulation
from flows.values.group import Group


class GroupCompleted(msgspec.Struct, tag="group"):
    """A group that was completed."""

    at: float
    key: Any
    """Values of `by`: one alone, or a list of several; null: there is no `by`."""
    completed_by: str
    messages: list[int]


class RequestSent(msgspec.Struct, tag="request"):
    """A bulk request, and its answer."""

    at: float
    path: str
    lines: list[str]
    """Exactly as they are sent."""
    documents: int
    status: int | None
    """Of a request that failed as a whole; null: it did not, or there was no answer."""
    answered: bool
    stored: int
    """Documents that are stored; those too that were stored before."""
    conflicts: int
    """Summaries whose `_id` another document has that they must not replace."""
    refused: list[str]
    """Reasons of the documents that will never be stored."""
    retried: int
    """Documents that are retried."""


class DocumentWritten(msgspec.Struct, tag="document"):
    """A document that was written."""

    at: float
    index: str | None
    id: str | None
    """Null: Elasticsearch makes one."""
    version: int | None
    source: Any


class DeadLettered(msgspec.Struct, tag="dead_letter"):
    """A message that was dead-lettered, or a summary that stands for several."""

    at: float
    messages: list[int]
    reason: str
    body: str


class Acknowledged(msgspec.Struct, tag="acknowledged"):
    """Messages that were acknowledged: they are stored, kept in the state, or dropped."""

    at: float
    how: Literal["stored", "dropped", "kept"]
    messages: list[int]


Happening = GroupCompleted | RequestSent | DocumentWritten | DeadLettered | Acknowledged


class Report(msgspec.Struct):
    """Everything that happened in a play."""

    messages: int
    """How many were published."""
    ended_at: float
    happened: list[Happening]
    """In order."""
    unacknowledged: list[int]
    """Messages that are neither acknowledged nor dead-lettered at the end."""


def report(simulation: Simulation, start: float) -> Report:
    """Report what has happened since `start`, in seconds since 1970."""
    return Report(
        sum(queue.published for queue in simulation.queues.values()),
        _after(start, simulation.now),
        _merged(_happenings(simulation, start)),
        sorted(one for queue in simulation.queues.values() for one in queue.unsettled),
    )


def _happenings(simulation: Simulation, start: float) -> Iterator[Happening]:
    for event in simulation.events:
        found = _happening(simulation, event, _after(start, event.at))
        if found is not None:
            yield found


def _happening(simulation: Simulation, event: Event, at: float) -> Happening | None:
    what = event.what
    if isinstance(what, Left):
        if not isinstance(what.value, Group) or what.value.is_early:
            return None
        key = None if what.value.key is None else msgspec.json.decode(what.value.key)
        return GroupCompleted(at, key, what.value.completed_by, list(what.numbers))
    if isinstance(what, BulkRequest):
        return _request(simulation, what, at)
    if isinstance(what, Stored):
        source = msgspec.json.decode(what.source)
        return DocumentWritten(at, what.index, what.id, what.version, source)
    if what.how == "parked":
        text = what.body.decode(errors="replace")
        return DeadLettered(at, list(what.numbers), what.reason or "", text)
    return Acknowledged(at, what.how, list(what.numbers))


def _request(simulation: Simulation, sent: BulkRequest, at: float) -> RequestSent:
    sink, answer = simulation.sink, sent.answer
    path, lines = "", [sent.documents.sources[position] for position in sent.positions]
    if isinstance(sink, StoreForElasticsearch):
        path, lines = sink.path, sink.lines(sent)
    documents = len(sent.positions)
    shown = answer or Answer([], [])
    stored, conflicts, refused = len(shown.stored), len(shown.failed_claims), len(shown.rejected)
    return RequestSent(
        at,
        path,
        [line.decode(errors="replace") for line in lines],
        documents,
        sent.status,
        answer is not None,
        stored,
        conflicts,
        [why.reason for _, why in shown.rejected],
        documents - stored - conflicts - refused,
    )


def _merged(happened: Iterable[Happening]) -> list[Happening]:
    """Merge consecutive acknowledgements of one moment."""
    merged: list[Happening] = []
    for one in happened:
        last = merged[-1] if merged else None
        if (
            isinstance(one, Acknowledged)
            and isinstance(last, Acknowledged)
            and (last.at, last.how) == (one.at, one.how)
        ):
            last.messages = sorted([*last.messages, *one.messages])
        else:
            merged.append(one)
    return merged


def _after(start: float, now: float) -> float:
    return round(now - start, 3)
