"""Reads the answer to a bulk request; it neither sends nor decides.

Pure. By the Bulk API of Elasticsearch 8 and 9; real answers are in
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
"""The parts of the answer that Elasticsearch sends. `items.*.error` alone would be shorter, but the
errors would lose their positions. `failure_store` is rare: see `Items`."""


MAX_CONTENT_LENGTH = 100 * 1024**2
"""Bytes: the default of `http.max_content_length`, the largest request."""


@dataclass(frozen=True)
class Reply:
    """The reply to an HTTP request, or why there is none."""

    status: int | None
    """Status of HTTP; `None`: there is no reply, and `body` says why."""
    body: bytes
    cut: bool = False
    """There is no reply because the connection broke, possibly at the size of the request."""
    late: bool = False
    """There is no reply within the time limit."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """By name in lower case."""


class Refusal(NamedTuple):
    """Elasticsearch did not store a document."""

    position: int
    status: int | None
    """`None`: there was no answer to any attempt."""
    reason: str


class Items(NamedTuple):
    """The request was processed: the results of its documents, by their positions."""

    stored: Sequence[int]
    throttled: Sequence[Refusal] = ()
    """To retry: overload, an index that does not exist yet, or a conflict with another writer."""
    failed: Sequence[Refusal] = ()
    """To retry a number of times: an error of Elasticsearch itself."""
    rejected: Sequence[Refusal] = ()
    """Never stored: the document is wrong, or a processor of the ingest pipeline refuses it."""
    conflicts: Sequence[int] = ()
    """Among the stored: the document, or a newer version, was stored before."""
    in_failure_store: int = 0
    """How many of the stored do not fit their data stream: Elasticsearch keeps them, each with its
    reason, in the failure store that is switched on for it (8.18, 9.1 and later)."""
    create_conflicts: Sequence[Refusal] = ()
    """Conflicts of the action `create`: the stored document may be another one, unless the job
    chose the `_id` (see `retry_policy.reject_id_collisions`)."""
    failed_claims: Mapping[int, str | None] = MappingProxyType({})
    """Documents whose claim of an `_id` has failed, with the fingerprint of the stored document."""


class Retry(NamedTuple):
    """The request as a whole was not processed, for a temporary reason."""

    status: int | None
    reason: str
    cut: bool = False
    """See `Reply`."""
    late: bool = False
    """See `Reply`."""
    own: bool = False
    """The answer is from Elasticsearch itself, not from a proxy."""

    @property
    def may_be_stored(self) -> bool:
        """The request may have been processed, and only its answer was lost."""
        if self.status is None:
            return self.cut or self.late
        return not self.own and (self.status == 200 or self.status >= 500)


class RefusedRequest(NamedTuple):
    """The request as a whole was refused because of its content or size."""

    status: int
    reason: str


def read(reply: Reply, documents: int) -> Items | Retry | RefusedRequest:
    """Read the reply to a request with that many documents."""
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
    # An answer without a reason is from a proxy, and so is a 404 or 405: the documents are not at
    # fault.
    return Retry(status, reason or describe(status, reply.headers, body), own=bool(reason))


def read_error(reply: Reply) -> Retry | RefusedRequest:
    """Read the error reply to a request that reads documents.

    Raises:
        AssertionError: the reply is no error.
    """
    reading = read(reply, 0)
    if isinstance(reading, RefusedRequest):
        return reading
    if isinstance(reading, Retry):
        return (
            RefusedRequest(403, reading.reason) if reading.own and reply.status == 403 else reading
        )
    raise AssertionError("the reply is no error")


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
            # Nearly all answers end here: it is enough to count the items.
            found, in_failure_store = body.count(b'"status":'), body.count(b'"failure_store":')
            if found != documents:
                return _incomplete(found, documents)
            return Items(range(documents), in_failure_store=in_failure_store)
        items = [item for entry in decode(_answer, body).items for item in entry.items()]
    except ValueError as error:
        text = describe(200, reply.headers, body)
        return Retry(200, f"not an answer to a bulk request ({error}): {text}")
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
    """Return whether the operation is larger than Elasticsearch's memory for it.

    Elasticsearch answers 429, as if waiting could help (see its "indexing pressure").
    """
    sizes = _OPERATION_AND_LIMIT(reason)
    return sizes is not None and int(sizes[1]) > int(sizes[2])


_OPERATION_AND_LIMIT = re.compile(
    r"(?:coordinating|primary|replica)_operation_bytes=([0-9]{1,18}), max_[a-z_]+=([0-9]{1,18})"
).search


_AS_GOOD_AS_STORED = {
    ("create", 409),  # the document is stored already, or see `Items.create_conflicts`
    ("index", 409),  # a newer version is stored
    ("delete", 409),
    ("delete", 404),  # there is no such document
}


def _incomplete(found: int, documents: int) -> Retry:
    return Retry(200, f"the answer has {found} documents, but {documents} were sent")
