"""Decides what becomes of documents that claim an `_id`, where another document has it already.

Pure. Elasticsearch tells of such a conflict that there is one; what is there is read then, by
`_mget`, which sees what was written a moment ago.

    where there is                     the document
    ---------------------------------  ---------------------------------------------------------
    its own fingerprint                is stored: the answer was lost, or both are the same
    the fingerprint that it replaces   is sent once more, in place of just that state
    another one, or none               is in conflict, and is told what is there
    nothing                            is sent again: a copy of the index lags behind
    what cannot be read                is rejected for want of permission, else sent again
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
"""What the answer holds."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A document whose `_id` another one has."""

    place: int
    """In the request."""
    part: RequestPart
    position: int
    """In its batch."""
    claim: Claim
    index: str | None
    id: str | None
    routing: str | None


class Found(NamedTuple):
    """The document that is there."""

    fingerprint: str | None
    sequence_number: int
    primary_term: int


class Verdicts(NamedTuple):
    """What becomes of claimed documents."""

    items: Items
    """Of the whole request."""
    replace: list[tuple[Claimed, Found]]
    """To be sent once more, each in place of what was found."""


def claimed(parts: Iterable[RequestPart], items: Items, index: str | None) -> list[Claimed]:
    """The documents of a request that claim an `_id` in vain; `index`: of those that name none."""
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
    """The body of a request that reads what is there in their places."""
    asked = [
        {
            "_index": one.index,
            "_id": one.id,
            "_source": [one.claim.field] if one.claim.field else False,
            **({} if one.routing is None else {"routing": one.routing}),
        }
        for one in documents
    ]
    return msgspec.json.encode({"docs": asked})


def judge(documents: Sequence[Claimed], items: Items, reply: Reply) -> Verdicts:
    """What becomes of them, as the table says, now that it was read what is there."""
    places = {one.place for one in documents}
    stored = [place for place in items.stored if place not in places]
    throttled, failed, rejected = [*items.throttled], [*items.failed], [*items.rejected]
    others, replace = dict(items.others), list[tuple[Claimed, Found]]()
    for one, there in zip(documents, _read(reply, documents), strict=True):
        if there is None:
            throttled.append(_once_more(one))
        elif isinstance(there, Found):
            if there.fingerprint is None:
                others[one.place] = None
            elif there.fingerprint == one.claim.fingerprint:
                stored.append(one.place)
            elif there.fingerprint == one.claim.replaces:
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
    return Verdicts(
        items._replace(
            stored=sorted(stored),
            throttled=sorted(throttled),
            failed=sorted(failed),
            rejected=sorted(rejected),
            conflicts=[place for place in items.conflicts if place not in places],
            others=others,
        ),
        replace,
    )


def replaced(
    documents: Sequence[Claimed], items: Items, reading: Items | Retry | RefusedRequest
) -> Items:
    """The same with those that were sent once more, of which `reading` tells."""
    places = [one.place for one in documents]
    if not isinstance(reading, Items):
        status = reading.status or 503
        refused = [Refusal(place, status, reading.reason) for place in places]
        if isinstance(reading, Retry):
            return items._replace(throttled=sorted([*items.throttled, *refused]))
        return items._replace(failed=sorted([*items.failed, *refused]))
    # Another writer came in between: what is there now is looked at when it is sent again.
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
) -> Sequence[Found | Retry | RefusedRequest | None]:
    """What is there in the place of each; `None`: nothing."""
    if reply.status != 200:
        return [read_error(reply)] * len(documents)
    try:
        found = json.loads(reply.body)["docs"]
        read = [_found(one, there) for one, there in zip(documents, found, strict=True)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [Retry(200, f"not an answer to a multi get: {error!r}")] * len(documents)
    return read


def _found(document: Claimed, there: dict[str, Any]) -> Found | RefusedRequest | None:
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
    return Found(fingerprint, int(there["_seq_no"]), int(there["_primary_term"]))


def _field(source: Any, name: str) -> str | None:
    """A field of a document, whether its dots are written as such or as objects in each other."""
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
"""That does not pass; anything else may, and is tried a number of times."""
_STATUS = {"security_exception": 403, "illegal_argument_exception": 400}
"""An alias of several indices is an illegal argument."""
