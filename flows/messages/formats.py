"""Reads bodies of one document: JSON, MessagePack or text becomes a JSON object on one line.

Pure. A body that is such a line already is handed on as it came, not printed again; the byte order
mark of UTF-8 is no part of it. No body is taken apart here: `containers.py` does that.
"""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NoReturn, TypedDict, TypeVar, cast

import msgspec

from connectors.spec import Format
from connectors.units import size_text

Kind = Literal["json", "text", "msgpack", "ndjson", "es_bulk", "unknown"]
"""What a body is; `unknown`: a JSON object as such, anything else as text."""
Read = Callable[[bytes, float], bytes]
"""(body, arrived_at in seconds since 1970) -> document; raises `Unreadable`."""
Decode = Callable[[bytes], dict[str, Any]]
"""document -> its fields, or those that a later step asks for; raises `Unreadable`."""
MAX_DOCUMENTS = 100_000
"""In one body: each takes some 500 bytes beside its own until it is stored, so these take 50 MB,
where 16 MiB of nothing but `{},` would take 3 GB."""
T = TypeVar("T")


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document of a body, and what the body says of it; `None`: nothing."""

    source: bytes
    """A JSON object on one line."""
    index: str | None = None
    id: str | None = None
    action: str | None = None
    """`index`, `create`, `update`, `upsert` or `delete`; a document to delete is `{}`."""
    routing: str | None = None


class Unreadable(ValueError):
    """The body is not what its format says; the text says where."""


@lru_cache(1024)
def kind_of(format: Format, content_type: str | None) -> Kind:
    """What a message's body is; a spec's `format` outranks the content type."""
    if format != "auto":
        return format
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return "json"
    if kind in ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"):
        return "msgpack"
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return "ndjson"
    if kind.startswith("text/"):
        return "text"
    # Nothing is said, or nothing that helps: some clients call every body
    # application/octet-stream.
    return "unknown"


class TooLarge(Unreadable):
    """The body has more bytes than it may."""


def too_large(body: bytes, most: int) -> TooLarge:
    """What to raise of a body of more than `most` bytes."""
    return TooLarge(f"has {len(body)} bytes, which is more than max_message ({size_text(most)})")


def json_reader(
    otherwise: Callable[[bytes, float, str], T], most: int = sys.maxsize
) -> Callable[[bytes, float], bytes | T]:
    """A reading of JSON objects, and of what else `otherwise(body, arrived_at, problem)` can read.

    An object is handed on as it came if it is on one line, else it is put on one. A body of more
    than `most` bytes is not looked into: it is `TooLarge`.
    """

    def read(body: bytes, arrived_at: float) -> bytes | T:
        if len(body) > most:
            raise too_large(body, most)
        try:
            # An empty struct makes msgspec check the syntax of everything and build nothing: 0.2 µs
            # for 250 bytes, where building a dict costs three times as much.
            _check_object(body)
            if not body.isascii():
                body.decode()  # msgspec passes over broken UTF-8 in what it skips
            return on_one_line(body) if NEWLINE in body else body
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problem = str(error)
        except RecursionError:
            problem = _TOO_DEEP
        if body.startswith(BOM_UTF8) and not body.startswith(BOM_UTF8, len(BOM_UTF8)):
            return read(body[len(BOM_UTF8) :], arrived_at)
        return otherwise(body, arrived_at, problem)

    return read


def read_text(body: bytes, arrived_at: float) -> bytes:
    """`{"message": text, "@timestamp": time of arrival}`."""
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not text in UTF-8: {error}") from None
    return msgspec.json.encode({"message": text, "@timestamp": _printed(arrived_at)})


@lru_cache(16)  # Messages that arrive together have one time.
def _printed(arrived_at: float) -> str:
    at = datetime.fromtimestamp(arrived_at, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def read_msgpack(body: bytes, _arrived_at: float) -> bytes:
    """A MessagePack map, printed as JSON."""
    try:
        return msgspec.json.encode(_decode_map(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise Unreadable(f"not a MessagePack map that JSON can hold: {error}") from None
    except RecursionError:
        raise Unreadable("not a MessagePack map: nested too deeply") from None


def decode(document: bytes) -> dict[str, Any]:
    """The fields of a JSON object.

    It checks more than the readings do: a document with a number that no float can hold is a JSON
    object, but its fields cannot be told.

    Raises:
        Unreadable: it is none, or they cannot be told.
    """
    try:
        return _decode_object(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse(document, 0.0, str(error))
    except RecursionError:
        _refuse(document, 0.0, _TOO_DEEP)


def decoder(names: Collection[str] | None) -> Decode:
    """A `decode` that builds nothing but the fields of these names; `None`: all of them.

    The rest is checked and passed over: two fields of eight cost half of what all of them do. What
    cannot be told in a field that no step asked for is no reason to refuse its document.
    """
    if names is None:
        return decode
    wanted = TypedDict("Wanted", dict.fromkeys(names, Any), total=False)  # type: ignore[misc]
    read: Decode = msgspec.json.Decoder(cast(Any, wanted)).decode

    def decode_wanted(document: bytes) -> dict[str, Any]:
        try:
            if not document.isascii():
                document.decode()  # msgspec passes over broken UTF-8 in what it skips
            return read(document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _refuse(document, 0.0, str(error))
        except RecursionError:
            _refuse(document, 0.0, _TOO_DEEP)

    return decode_wanted


def on_one_line(document: bytes) -> bytes:
    """A JSON object, itself if there is no newline in it."""
    return msgspec.json.format(document, indent=-1) if NEWLINE in document else document


def lines_of(body: bytes) -> list[bytes]:
    """The lines of a body of documents that have one or two lines each.

    Raises:
        Unreadable: there are too many.
    """
    if body.count(b"\n") > 2 * MAX_DOCUMENTS:
        raise Unreadable(f"more than {2 * MAX_DOCUMENTS} lines")
    return body.removeprefix(BOM_UTF8).rstrip().split(b"\n")


def _refuse(_body: bytes, _arrived_at: float, problem: str) -> NoReturn:
    raise Unreadable(f"not a JSON object: {problem}")


class _Object(msgspec.Struct):
    """Any JSON object: what it does not know, msgspec checks and skips."""


_check_object = msgspec.json.Decoder(_Object).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_map = msgspec.msgpack.Decoder(dict[str, object]).decode
NEWLINE = 10
_TOO_DEEP = "nested too deeply"

read_json: Read = json_reader(_refuse)
"""The body itself if it is a JSON object on one line; the same object on one line if not."""
