"""Decides what becomes of each document of a request, now that its answer has been read.

Pure; it knows no clock: when something is sent again is not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from connectors.elasticsearch.bulk_response import (
    CONTENT_LENGTH_MOST,
    Items,
    Refusal,
    RefusedRequest,
    Retry,
)
from connectors.elasticsearch.isolate import Verdict, rejected
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.message import Answer, Rejection

T = TypeVar("T")

ERRORS_MAX = 12
"""A document at which Elasticsearch itself fails (5xx, but not 503) is rejected after that many
times. With the indexer's back-off that is half a minute: as long as a cluster takes to notice a
node that is gone (three checks, ten seconds each) and to put another in its place."""

PATIENCE = 3
"""A request that Elasticsearch has no memory for is sent that often before it is halved, and so
is each half: mostly there is memory a moment later, but never for a request that takes more than
`indexing_pressure.memory.limit`. Only the request in front of all others is ever tried so often."""

CUT_BYTES_LEAST = 1024**2
"""A smaller request is not what connections break of: everything on the way takes a MiB, even a
proxy that was never told how much (nginx takes just that)."""


class RetryDecision(NamedTuple):
    """What is known for good, and what is to be sent again."""

    answers: list[tuple[Batch, Answer]]
    again: list[RequestPart]


def settle(request: Request, items: Items, index: str | None) -> RetryDecision:
    """Give every document what its item says; `index` is for those that name none."""
    if len(items.stored) == request.documents:
        return RetryDecision(
            [(part.batch, Answer(part.positions, [])) for part in request.parts], []
        )
    settlement = RetryDecision([], [])
    start = 0
    for part in request.parts:
        end = start + len(part.positions)
        _settle_part(part, _within(items, start, end), index, settlement)
        start = end
    return settlement


def divide(
    request: Request, reading: Retry | RefusedRequest, verdict: Verdict = Verdict.WAIT
) -> tuple[Request, Request] | None:
    """The halves of a request that will not get through as it is; `None`: leave it whole."""
    if request.documents == 1:
        return None
    if isinstance(reading, Retry) and verdict is not Verdict.HALVE:
        too_much = reading.status == 429 or (
            reading.cut and verdict is Verdict.WAIT and request.size > CUT_BYTES_LEAST
        )
        if not too_much or _attempts(request) % PATIENCE:
            return None
    return request.halves()


def is_too_large(reading: Retry | RefusedRequest, verdict: Verdict = Verdict.WAIT) -> bool:
    """What was divided is too large for what is on the way, and will always be."""
    if isinstance(reading, Retry):
        return reading.cut and verdict is Verdict.WAIT
    return reading.status == 413


def condemn(
    request: Request,
    reading: Items | Retry | RefusedRequest,
    verdict: Verdict = Verdict.WAIT,
) -> Items | Retry | RefusedRequest:
    """The verdict on a document that was alone in a request that will never get through."""
    if request.documents > 1:
        return reading
    if isinstance(reading, RefusedRequest):
        return Items([], rejected=[Refusal(0, reading.status, reading.reason)])
    if not isinstance(reading, Retry):
        return reading
    if reading.cut and request.size > CONTENT_LENGTH_MOST and _attempts(request) >= PATIENCE:
        return Items([], rejected=[Refusal(0, 413, f"too large: {reading.reason}")])
    return rejected(reading) if verdict is Verdict.REJECT else reading


def park_clashes(parts: Sequence[RequestPart], items: Items) -> Items:
    """Reject what met another document: a conflict is no copy of its own.

    It may be one if the `_id` is ours, if an earlier answer about the document is lost, or if its
    message was delivered before; otherwise Elasticsearch itself has made the `_id`, of the
    dimensions and the time of a time series, and found another document there.
    """
    if not items.clashes:
        return items
    could_be_a_copy = [
        part.maybe_stored
        or _at(part.batch.documents.ids, position) is not None
        or bool(_at(part.batch.documents.redelivered, position))
        for part in parts
        for position in part.positions
    ]
    strangers = {
        refusal.position: refusal._replace(reason=f"{_REASON}: {refusal.reason}")
        for refusal in items.clashes
        if not could_be_a_copy[refusal.position]
    }
    return items._replace(
        stored=[position for position in items.stored if position not in strangers],
        rejected=sorted([*items.rejected, *strangers.values()]),
        conflicts=[position for position in items.conflicts if position not in strangers],
    )


def _at(column: Sequence[T] | None, position: int) -> T | None:
    return None if column is None else column[position]


_REASON = "version_conflict: another document is there under the _id that Elasticsearch made"


def _attempts(request: Request) -> int:
    return max(part.attempts for part in request.parts)


def _within(items: Items, start: int, end: int) -> Items:
    """The items from `start` to `end`, counted from `start`."""

    def cut(refusals: Sequence[Refusal]) -> list[Refusal]:
        return [
            refusal._replace(position=refusal.position - start)
            for refusal in refusals
            if start <= refusal.position < end
        ]

    return Items(
        [position - start for position in items.stored if start <= position < end],
        cut(items.throttled),
        cut(items.failed),
        cut(items.rejected),
        others={
            position - start: there
            for position, there in items.others.items()
            if start <= position < end
        },
    )


def _settle_part(
    part: RequestPart, items: Items, index: str | None, settlement: RetryDecision
) -> None:
    failed, rejected = items.failed, items.rejected
    if part.errors + 1 >= ERRORS_MAX:
        failed, rejected = [], sorted([*rejected, *failed])
    for refused, errors in ((items.throttled, 0), (failed, 1)):
        if refused:
            again = part.only([part.positions[refusal.position] for refusal in refused])
            again.refusals += 1
            again.errors += errors
            again.maybe_stored |= bool(errors)
            settlement.again.append(again)
    stored: Sequence[int] = [part.positions[position] for position in items.stored]
    if stored or rejected or items.others:
        answer = Answer(
            stored,
            [_rejection(part, refusal, index) for refusal in rejected],
            {part.positions[position]: there for position, there in items.others.items()},
        )
        settlement.answers.append((part.batch, answer))


def _rejection(part: RequestPart, refusal: Refusal, index: str | None) -> tuple[int, Rejection]:
    position = part.positions[refusal.position]
    documents = part.batch.documents
    return position, Rejection(
        reason=refusal.reason,
        status=refusal.status,
        index=(documents.indices[position] if documents.indices else None) or index,
        id=documents.ids[position] if documents.ids else None,
        attempts=part.attempts,
    )
