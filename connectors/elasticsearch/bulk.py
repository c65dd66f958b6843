"""What the answer to a bulk request says; it neither sends nor decides.

Pure. After the Bulk API of Elasticsearch 8 and 9; `tests/connectors/answers/` holds real answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

FILTER_PATH = "errors,items.*.status,items.*.error,items.*.failure_store"
"""What the answer shall hold. `items.*.error` alone would say as much in a few bytes, but then
the errors have lost the positions that they belong to. `failure_store` is rare: see `Items`."""


CONTENT_LENGTH_MOST = 100 * 1024**2
"""Bytes of a request that Elasticsearch takes, unless its `http.max_content_length` is another."""


class Reply(NamedTuple):
    """What came back of a request."""

    status: int | None
    """HTTP's; `None`: nothing came back, and `body` says why."""
    body: bytes
    cut: bool = False
    """Nothing came back because the connection broke, which may be for the request's size."""


class Refusal(NamedTuple):
    """Elasticsearch did not store a document."""

    position: int
    status: int
    reason: str


class Items(NamedTuple):
    """The request was worked on, and each document has a verdict of its own."""

    stored: Sequence[int]
    throttled: Sequence[Refusal] = ()
    """Too much, or too early, or another writer came in between: to be sent again."""
    failed: Sequence[Refusal] = ()
    """Elasticsearch's fault, as it says: worth another attempt."""
    rejected: Sequence[Refusal] = ()
    """The document's fault: it will never be stored."""
    conflicts: Mapping[int, int | None] = MappingProxyType({})
    """Those of the stored that need not be: the document, or a newer one, was there, and of which
    version it is; `None`: the answer does not tell."""
    apart: int = 0
    """How many of the stored do not fit their data stream: Elasticsearch keeps them, each with its
    reason, in the failure store that somebody has switched on for it (8.18, 9.1 and later)."""


class Again(NamedTuple):
    """The request as a whole was not worked on, for reasons that may pass."""

    status: int | None
    reason: str
    cut: bool = False
    """See `Reply`."""


class Indigestible(NamedTuple):
    """The request as a whole was refused for what is in it: a part of it may spoil the rest."""

    status: int
    reason: str


def read(reply: Reply, documents: int) -> Items | Again | Indigestible:
    """What Elasticsearch says of a request with that many documents."""
    status, body, cut = reply
    if status == 200:
        return _read_items(body, documents)
    if status is None:
        return Again(None, _one_line(body.decode(errors="replace")), cut)
    if status == 413:
        return Indigestible(413, _reason_of_request(body) or "the request is too large")
    reason = _reason_of_request(body)
    if status == 400 and reason:
        return Indigestible(400, reason)
    if status == 429 and _never_fits(reason):
        return Indigestible(413, reason)
    # Whoever answers without a reason is not Elasticsearch, but something on the way to it. So is
    # whoever does not find (404) or know (405) what we ask for: the documents are innocent.
    return Again(status, reason or _one_line(body.decode(errors="replace")) or "no reason given")


class _Error(msgspec.Struct):
    type: str = ""
    reason: str | None = None
    caused_by: _Error | None = None


class _Item(msgspec.Struct):
    status: int
    error: _Error | None = None
    failure_store: str | None = None


class _Summary(msgspec.Struct):
    errors: bool


class _Answer(msgspec.Struct):
    items: list[dict[str, _Item]]


class _RequestError(msgspec.Struct):
    error: _Error


_summary = msgspec.json.Decoder(_Summary)
_answer = msgspec.json.Decoder(_Answer)
_request_error = msgspec.json.Decoder(_RequestError)
T = TypeVar("T")


def _read_items(body: bytes, documents: int) -> Items | Again | Indigestible:
    try:
        if not _decode(_summary, body).errors:
            # Nearly all answers end here: the items are counted, not looked at.
            found, apart = body.count(b'"status":'), body.count(b'"failure_store":')
            if found != documents:
                return _incomplete(found, documents)
            return Items(range(documents), apart=apart)
        items = [item for entry in _decode(_answer, body).items for item in entry.items()]
    except ValueError as error:
        return Again(200, f"not an answer to a bulk request: {error}")
    if len(items) != documents:
        return _incomplete(len(items), documents)
    stored: list[int] = []
    conflicts: dict[int, int | None] = {}
    throttled, failed, rejected = [], [], []
    apart = sum(item.failure_store == "used" for _, item in items)
    for position, (action, item) in enumerate(items):
        if item.status < 300 or (action, item.status) in _AS_GOOD_AS_STORED:
            stored.append(position)
            if item.status == 409:
                conflicts[position] = _version_there(item.error)
            continue
        refusal = Refusal(position, item.status, _reason(item.error))
        if item.status in (429, 503) or (action, item.status) == ("update", 409):
            throttled.append(refusal)
        elif item.status >= 500:
            failed.append(refusal)
        else:
            rejected.append(refusal)
    if len(throttled) == documents and all(_never_fits(refusal.reason) for refusal in throttled):
        return Indigestible(413, throttled[0].reason)
    return Items(stored, throttled, failed, rejected, conflicts, apart)


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
    ("create", 409),  # the document is there already
    ("index", 409),  # a newer version of it is there
    ("delete", 409),
    ("delete", 404),  # it is not there
}


def _version_there(error: _Error | None) -> int | None:
    """The version of the document that was there; the answer tells it in words alone."""
    found = _CURRENT_VERSION(error.reason) if error is not None and error.reason else None
    return None if found is None else int(found[1])


# The document's `_id` stands before it, and may say anything.
_CURRENT_VERSION = re.compile(r".*current version \[([0-9]{1,19})\]", re.DOTALL).match


def _incomplete(found: int, documents: int) -> Again:
    return Again(200, f"the answer names {found} documents, {documents} were sent")


def _reason_of_request(body: bytes) -> str:
    try:
        return _reason(_decode(_request_error, body).error)
    except ValueError:
        return ""


def _decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Read JSON.

    Raises:
        ValueError: it is not JSON, or not what the decoder is for.
    """
    try:
        return decoder.decode(body)
    except ValueError:
        # A reason may quote a document that has half a surrogate pair in it. Elasticsearch spells
        # it out again, and that is JSON, although it is no text; not every reader takes it.
        return msgspec.convert(json.loads(body), decoder.type)


def _reason(error: _Error | None) -> str:
    """Type and reason, and whatever its causes say besides."""
    if error is None:
        return "no reason given"
    text = f"{error.type}: {error.reason}" if error.reason else error.type
    cause = error.caused_by
    while cause is not None:
        if cause.reason and cause.reason not in text:
            text += f": {cause.reason}"
        cause = cause.caused_by
    return _one_line(text)


_REASON_LENGTH_MAX = 1000
"""Characters. A reason may quote the document; it travels in a header of the parked message."""


def _one_line(text: str) -> str:
    """It is quoted from anywhere, and goes to terminals: nothing but what can be printed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _REASON_LENGTH_MAX else line[:_REASON_LENGTH_MAX] + "…"
