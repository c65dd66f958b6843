"""Decides for each document of an answered request: stored, rejected, or to retry.

Pure; it knows no clock: the indexer decides when a document is retried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Retry
from connectors.elasticsearch.isolate import Verdict, reject
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.message import Answer, Rejection

T = TypeVar("T")

MAX_ERRORS = 12
"""Attempts after which a document is rejected at which Elasticsearch fails (5xx, but not 503).
With the indexer's back-off that is half a minute: as long as a cluster takes to notice that a node
is gone (three checks, ten seconds each) and to replace it."""

ATTEMPTS_TO_HALVE = 3
"""Attempts before a request is halved for which Elasticsearch has no memory (429), and so is each
half. Memory is usually free a moment later, but never for a request larger than
`indexing_pressure.memory.limit`. Only the first request of the backlog is tried that often."""


class RetryDecision(NamedTuple):
    """The decision about all documents of a request."""

    answers: list[tuple[Batch, Answer]]
    """Final: stored, rejected, or their claim has failed."""
    retries: list[RequestPart]


def settle(request: Request, items: Items, index: str | None) -> RetryDecision:
    """Decide about every document by its item; `index` is for documents that name none."""
    if len(items.stored) == request.documents:
        return RetryDecision(
            [(part.batch, Answer(part.positions, [])) for part in request.parts], []
        )
    settlement = RetryDecision([], [])
    start = 0
    for part in request.parts:
        end = start + len(part.positions)
        _settle_part(part, _slice(items, start, end), index, settlement)
        start = end
    return settlement


def is_overload(items: Items, documents: int) -> bool:
    """Return whether a request of so many documents was too much: most were throttled."""
    throttled = sum(refusal.status in (429, 503) for refusal in items.throttled)
    return 2 * throttled > documents


def halve(
    request: Request, reading: Retry | RefusedRequest, verdict: Verdict = Verdict.WAIT
) -> tuple[Request, Request] | None:
    """Return the halves of a request that fails as a whole; `None`: keep it whole."""
    if request.documents == 1:
        return None
    halved = not isinstance(reading, Retry) or verdict in (Verdict.HALVE, Verdict.TOO_LARGE)
    if not halved:
        halved = reading.status == 429 and _attempts(request) % ATTEMPTS_TO_HALVE == 0
    return request.halves() if halved else None


def reject_single(
    request: Request,
    reading: Items | Retry | RefusedRequest,
    verdict: Verdict = Verdict.WAIT,
) -> Items | Retry | RefusedRequest:
    """Reject the only document of a request that fails for good; else return `reading`."""
    if request.documents > 1:
        return reading
    if isinstance(reading, RefusedRequest):
        return Items([], rejected=[Refusal(0, reading.status, reading.reason)])
    if not isinstance(reading, Retry):
        return reading
    if verdict is Verdict.TOO_LARGE:
        return Items([], rejected=[Refusal(0, 413, f"too large: {reading.reason}")])
    return reject(reading) if verdict is Verdict.REJECT else reading


def reject_id_collisions(parts: Sequence[RequestPart], items: Items) -> Items:
    """Reject a document whose `_id`, made by Elasticsearch, belongs to another document.

    A conflict of `create` usually means that the document itself is stored already. That is
    possible if the job chose the `_id`, if an earlier answer about the document was lost, or if its
    message was redelivered. Otherwise Elasticsearch made the `_id` of the dimensions and the time
    of a time series, and the stored document is another one.
    """
    if not items.create_conflicts:
        return items
    could_be_a_copy = [
        part.maybe_stored
        or _at(part.batch.documents.ids, position) is not None
        or bool(_at(part.batch.documents.redelivered, position))
        for part in parts
        for position in part.positions
    ]
    collisions = {
        refusal.position: refusal._replace(reason=f"{_REASON}: {refusal.reason}")
        for refusal in items.create_conflicts
        if not could_be_a_copy[refusal.position]
    }
    return items._replace(
        stored=[position for position in items.stored if position not in collisions],
        rejected=sorted([*items.rejected, *collisions.values()]),
        conflicts=[position for position in items.conflicts if position not in collisions],
    )


def _at(column: Sequence[T] | None, position: int) -> T | None:
    return None if column is None else column[position]


_REASON = "version_conflict: another document has the _id that Elasticsearch made for this one"


def _attempts(request: Request) -> int:
    return max(part.attempts for part in request.parts)


def _slice(items: Items, start: int, end: int) -> Items:
    """Return the items from `start` to `end`, with positions counted from `start`."""

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
        failed_claims={
            position - start: there
            for position, there in items.failed_claims.items()
            if start <= position < end
        },
    )


def _settle_part(
    part: RequestPart, items: Items, index: str | None, settlement: RetryDecision
) -> None:
    failed, rejected = items.failed, items.rejected
    if part.errors + 1 >= MAX_ERRORS:
        failed, rejected = [], sorted([*rejected, *failed])
    for refused, errors in ((items.throttled, 0), (failed, 1)):
        if refused:
            retry = part.only([part.positions[refusal.position] for refusal in refused])
            most = 2 * len(refused) > len(part.positions)
            retry.refusals = part.refusals + 1 if most or errors else 0
            retry.errors += errors
            retry.maybe_stored |= bool(errors)
            settlement.retries.append(retry)
    stored: Sequence[int] = [part.positions[position] for position in items.stored]
    if stored or rejected or items.failed_claims:
        answer = Answer(
            stored,
            [_rejection(part, refusal, index) for refusal in rejected],
            {part.positions[position]: there for position, there in items.failed_claims.items()},
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
