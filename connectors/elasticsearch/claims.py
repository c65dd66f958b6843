"""Decides about documents that claim an `_id` which a stored document has already.

Pure. Elasticsearch reports the conflict without the stored document. So the job reads it by
`_mget`, which also sees the latest writes.

    stored document has                the claiming document
    ---------------------------------  ---------------------------------------------------------
    the same fingerprint               counts as stored: the answer was lost, or both are equal
    the fingerprint that it replaces,  is sent again, to replace exactly that state
        or an early one
    another fingerprint, or none       is in conflict; the answer has the stored fingerprint
    (it does not exist)                is retried: a replica of the index lags behind
    (it cannot be read)                is rejected without the permission, else retried
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.elasticsearch.bulk_response import (
    Items,
    Refusal,
    RefusedRequest,
    Reply,
    Retry,
    read_error,
)
from connectors.elasticsearch.request import RequestPart
from connectors.message import Claim

READ = "filter_path=docs.found,docs._seq_no,docs._primary_term,docs._source,docs.error"
"""The parts of the answer to `_mget` that are read."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A document whose claim has failed: a stored document has its `_id`."""

    place: int
    """Position in the request."""
    part: RequestPart
    position: int
    """Position in its batch."""
    claim: Claim
    index: str | None
    id: str | None
    routing: str | None


class FoundDocument(NamedTuple):
    """The stored document."""

    fingerprint: str | None
    sequence_number: int
    primary_term: int


class Resolution(NamedTuple):
    """The decision about failed claims."""

    items: Items
    """Of the whole request."""
    replace: list[tuple[Claimed, FoundDocument]]
    """Documents to send again, each to replace the stored document."""


def failed_claims(parts: Iterable[RequestPart], items: Items, index: str | None) -> list[Claimed]:
    """Return the documents whose claim has failed; `index`: for documents that name none."""
    if not items.conflicts:
        return []
    conflicts, found, start = set(items.conflicts), list[Claimed](), 0
    for part in parts:
        documents = part.batch.documents
        if documents.claims is not None:
            for place, position in enumerate(part.positions, start):
                claim = documents.claims[position]
                if claim is not None and place in conflicts:
                    document = Claimed(
                        place=place,
                        part=part,
                        position=position,
                        claim=claim,
                        index=_at(documents.indices, position) or index,
                        id=_at(documents.ids, position),
                        routing=_at(documents.routings, position),
                    )
                    found.append(document)
        start += len(part.positions)
    return found


def question(documents: Sequence[Claimed]) -> bytes:
    """Return the body of an `_mget` request that reads the stored documents."""
    entries = [
        {
            "_index": one.index,
            "_id": one.id,
            "_source": [one.claim.field] if one.claim.field else False,
            **({} if one.routing is None else {"routing": one.routing}),
        }
        for one in documents
    ]
    return msgspec.json.encode({"docs": entries})


def resolve(documents: Sequence[Claimed], items: Items, reply: Reply) -> Resolution:
    """Decide by the table, after the stored documents have been read."""
    places = {one.place for one in documents}
    stored = [place for place in items.stored if place not in places]
    throttled, failed, rejected = [*items.throttled], [*items.failed], [*items.rejected]
    others, replace = dict(items.failed_claims), list[tuple[Claimed, FoundDocument]]()
    for one, there in zip(documents, _read(reply, documents), strict=True):
        if there is None:
            throttled.append(_once_more(one))
        elif isinstance(there, FoundDocument):
            if there.fingerprint is None:
                others[one.place] = None
            elif there.fingerprint == one.claim.fingerprint:
                stored.append(one.place)
            elif one.claim.may_replace(there.fingerprint):
                replace.append((one, there))
            else:
                others[one.place] = there.fingerprint
        else:
            refusal = Refusal(one.place, there.status or 503, f"{_UNREAD}: {there.reason}")
            if isinstance(there, Retry):
                throttled.append(refusal)
            elif there.status in _FORBIDDEN:
                rejected.append(refusal)
            else:
                failed.append(refusal)
    return Resolution(
        items._replace(
            stored=sorted(stored),
            throttled=sorted(throttled),
            failed=sorted(failed),
            rejected=sorted(rejected),
            conflicts=[place for place in items.conflicts if place not in places],
            failed_claims=others,
        ),
        replace,
    )


def replaced(
    documents: Sequence[Claimed], items: Items, reading: Items | Retry | RefusedRequest
) -> Items:
    """Add the answer about the replacements, `reading`, to the items of the request."""
    places = [one.place for one in documents]
    if not isinstance(reading, Items):
        status = reading.status or 503
        refused = [Refusal(place, status, reading.reason) for place in places]
        if isinstance(reading, Retry):
            return items._replace(throttled=sorted([*items.throttled, *refused]))
        return items._replace(failed=sorted([*items.failed, *refused]))
    # Another writer was faster: the retry reads the stored document again.
    overtaken = set(reading.conflicts)

    def move(refusals: Iterable[Refusal]) -> list[Refusal]:
        return [refusal._replace(position=places[refusal.position]) for refusal in refusals]

    stored = [places[position] for position in reading.stored if position not in overtaken]
    retries = [_once_more(documents[position]) for position in overtaken]
    return items._replace(
        stored=sorted([*items.stored, *stored]),
        throttled=sorted([*items.throttled, *move(reading.throttled), *retries]),
        failed=sorted([*items.failed, *move(reading.failed)]),
        rejected=sorted([*items.rejected, *move(reading.rejected)]),
    )


def _read(
    reply: Reply, documents: Sequence[Claimed]
) -> Sequence[FoundDocument | Retry | RefusedRequest | None]:
    """Return the stored document of each; `None`: there is none."""
    if reply.status != 200:
        return [read_error(reply)] * len(documents)
    try:
        found = json.loads(reply.body)["docs"]
        read = [_found(one, there) for one, there in zip(documents, found, strict=True)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [Retry(200, f"not an answer to a multi get: {error!r}")] * len(documents)
    return read


def _found(document: Claimed, there: dict[str, Any]) -> FoundDocument | RefusedRequest | None:
    error = there.get("error")
    if error is not None:
        if error["type"] == "index_not_found_exception":
            return None
        status = _STATUS.get(error["type"], 500)
        return RefusedRequest(status, f"{error['type']}: {error.get('reason')}")
    if not there.get("found"):
        return None
    field = document.claim.field
    fingerprint = None if field is None else _field(there.get("_source"), field)
    return FoundDocument(fingerprint, int(there["_seq_no"]), int(there["_primary_term"]))


def _field(source: Any, name: str) -> str | None:
    """Return a field of a document, whose name may have dots or stand for nested objects."""
    if not isinstance(source, dict):
        return None
    value = source.get(name)
    if isinstance(value, str):
        return value
    root, dot, rest = name.partition(".")
    return _field(source.get(root), rest) if dot else None


def _once_more(document: Claimed) -> Refusal:
    return Refusal(
        document.place, 409, "version_conflict_engine_exception: another writer was faster"
    )


def _at(column: list[str | None] | None, position: int) -> str | None:
    return None if column is None else column[position]


_UNREAD = "ambiguous_window: another document has this _id, and it cannot be read"
_FORBIDDEN = (400, 401, 403)
"""Statuses that stay; after any other, the job retries a number of times."""
_STATUS = {"security_exception": 403, "illegal_argument_exception": 400}
"""Statuses by error type; an alias of several indices is an illegal argument."""
