"""What the answer to a bulk request says; it neither sends nor decides.

Pure. After the Bulk API of Elasticsearch 8 and 9; real answers are in
`tests/connectors/elasticsearch/answers/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from connectors.elasticsearch.error_body import Error, decode, reason_of, reason_of_request
from connectors.elasticsearch.ingest_errors import is_of_a_processor
from connectors.elasticsearch.proxy_answer import describe, one_line

FILTER_PATH = "errors,items.*.status,items.*.error,items.*.failure_store"
"""What the answer holds. `items.*.error` alone would say as much in a few bytes, but then
the errors have lost the positions that they belong to. `failure_store` is rare: see `Items`."""


MAX_CONTENT_LENGTH = 100 * 1024**2
"""Bytes of a request that Elasticsearch takes, unless its `http.max_content_length` is another."""


@dataclass(frozen=True)
class Reply:
    """What came back of a request."""

    status: int | None
    """HTTP's; `None`: nothing came back, and `body` says why."""
    body: bytes
    cut: bool = False
    """Nothing came back because the connection broke, which may be for the request's size."""
    late: bool = False
    """Nothing came back in time."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Their names in lower case."""


class Refusal(NamedTuple):
    """Elasticsearch did not store a document."""

    position: int
    status: int | None
    """`None`: each time it was sent, there was no answer."""
    reason: str


class Items(NamedTuple):
    """The request was worked on, and each document has a verdict of its own."""

    stored: Sequence[int]
    throttled: Sequence[Refusal] = ()
    """Too much, or too early, or another writer came in between: to be sent again."""
    failed: Sequence[Refusal] = ()
    """Elasticsearch's fault, as it says: worth another attempt."""
    rejected: Sequence[Refusal] = ()
    """The document's fault, or what a processor of the pipeline says: it will never be stored."""
    conflicts: Sequence[int] = ()
    """Those of the stored that need not be: the document, or a newer one, was there."""
    in_failure_store: int = 0
    """How many of the stored do not fit their data stream: Elasticsearch keeps them, each with its
    reason, in the failure store that is switched on for it (8.18, 9.1 and later)."""
    create_conflicts: Sequence[Refusal] = ()
    """Those of the conflicts in which a document was to be created: what is there may be another
    document, unless its `_id` is ours (see `settle.reject_id_collisions`)."""
    others: Mapping[int, str | None] = MappingProxyType({})
    """Documents that claimed an `_id` which another one has, and the fingerprint of that one."""


class Retry(NamedTuple):
    """The request as a whole was not worked on, for reasons that may pass."""

    status: int | None
    reason: str
    cut: bool = False
    """See `Reply`."""
    late: bool = False
    """See `Reply`."""
    own: bool = False
    """Elasticsearch itself says so, and nothing on the way to it."""

    @property
    def may_be_stored(self) -> bool:
        """The request may have been worked on, and only its answer is lost."""
        if self.status is None:
            return self.cut or self.late
        return not self.own and (self.status == 200 or self.status >= 500)


class RefusedRequest(NamedTuple):
    """The request as a whole was refused for what is in it: a part of it may spoil the rest."""

    status: int
    reason: str


def read(reply: Reply, documents: int) -> Items | Retry | RefusedRequest:
    """What Elasticsearch says of a request with that many documents."""
    status, body = reply.status, reply.body
    if status == 200:
        return _read_items(reply, documents)
    if status is None:
        return Retry(None, one_line(body.decode(errors="replace")), reply.cut, reply.late)
    reason = reason_of_request(status, body)
    if status == 413 or (status == 429 and _never_fits(reason)):
        return RefusedRequest(413, reason or "the request is too large")
    if status == 400 and reason:
        return RefusedRequest(400, reason)
    # What answers without a reason is not Elasticsearch, but something on the way to it. So is
    # what does not find (404) or know (405) what we ask for: the documents are innocent.
    told = reason or describe(status, reply.headers, body)
    return Retry(status, told, own=bool(reason))


def read_error(reply: Reply) -> Retry | RefusedRequest:
    """What Elasticsearch says instead of an answer to a request that reads documents."""
    reading = read(reply, 0)
    if isinstance(reading, RefusedRequest):
        return reading
    if isinstance(reading, Retry):
        return (
            RefusedRequest(403, reading.reason) if reading.own and reply.status == 403 else reading
        )
    raise AssertionError("it is an answer")


class _Item(msgspec.Struct):
    status: int
    error: Error | None = None
    failure_store: str | None = None


class _Brief(msgspec.Struct):
    errors: bool


class _BulkAnswer(msgspec.Struct):
    items: list[dict[str, _Item]]


_summary = msgspec.json.Decoder(_Brief)
_answer = msgspec.json.Decoder(_BulkAnswer)


def _read_items(reply: Reply, documents: int) -> Items | Retry | RefusedRequest:
    body = reply.body
    try:
        if not decode(_summary, body).errors:
            # Nearly all answers end here: the items are counted, not looked at.
            found, in_failure_store = body.count(b'"status":'), body.count(b'"failure_store":')
            if found != documents:
                return _incomplete(found, documents)
            return Items(range(documents), in_failure_store=in_failure_store)
        items = [item for entry in decode(_answer, body).items for item in entry.items()]
    except ValueError as error:
        told = describe(200, reply.headers, body)
        return Retry(200, f"not an answer to a bulk request ({error}): {told}")
    if len(items) != documents:
        return _incomplete(len(items), documents)
    stored: list[int] = []
    conflicts: list[int] = []
    throttled, failed, rejected, create_conflicts = [], [], [], []
    in_failure_store = sum(item.failure_store == "used" for _, item in items)
    for position, (action, item) in enumerate(items):
        if item.status < 300 or (action, item.status) in _AS_GOOD_AS_STORED:
            stored.append(position)
            if item.status == 409:
                conflicts.append(position)
            if (action, item.status) == ("create", 409):
                create_conflicts.append(Refusal(position, 409, reason_of(item.error)))
            continue
        refusal = Refusal(position, item.status, reason_of(item.error))
        if item.status in (429, 503) or (action, item.status) == ("update", 409):
            throttled.append(refusal)
        elif item.status >= 500 and not is_of_a_processor(item.error):
            failed.append(refusal)
        else:
            rejected.append(refusal)
    if len(throttled) == documents and all(_never_fits(refusal.reason) for refusal in throttled):
        return RefusedRequest(413, throttled[0].reason)
    return Items(stored, throttled, failed, rejected, conflicts, in_failure_store, create_conflicts)


def _never_fits(reason: str) -> bool:
    """Whether Elasticsearch has no memory for an operation of that size, at any time.

    It says so with 429, as if it were a matter of waiting (see its "indexing pressure").
    """
    sizes = _OPERATION_AND_LIMIT(reason)
    return sizes is not None and int(sizes[1]) > int(sizes[2])


_OPERATION_AND_LIMIT = re.compile(
    r"(?:coordinating|primary|replica)_operation_bytes=([0-9]{1,18}), max_[a-z_]+=([0-9]{1,18})"
).search


_AS_GOOD_AS_STORED = {
    ("create", 409),  # the document is there already, or see `Items.create_conflicts`
    ("index", 409),  # a newer version of it is there
    ("delete", 409),
    ("delete", 404),  # it is not there
}


def _incomplete(found: int, documents: int) -> Retry:
    return Retry(200, f"the answer names {found} documents, {documents} were sent")
