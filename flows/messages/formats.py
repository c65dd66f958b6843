"""Reads bodies of one document: converts JSON, MessagePack or text to a JSON object on one line.

Pure. A body that already is such a line is returned unchanged, without the byte order mark of UTF-8
if it has one. `containers.py` splits bodies of several documents.
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
"""The format of a body; `unknown`: JSON if it is a JSON object, else text."""
Read = Callable[[bytes, float], bytes]
"""(body, arrived_at in seconds since 1970) -> document; raises `Unreadable`."""
Decode = Callable[[bytes], dict[str, Any]]
"""document -> its fields, or only those that a later step needs; raises `Unreadable`."""
MAX_DOCUMENTS = 100_000
"""The largest number in one body. Until it is stored, each document takes 500 bytes besides its own
text, so this number takes 50 MB; without a limit, 16 MiB of `{},` would take 3 GB."""
T = TypeVar("T")


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document of a body, with the metadata that the body has; `None`: the body has none."""

    source: bytes
    """A JSON object on one line."""
    index: str | None = None
    id: str | None = None
    action: str | None = None
    """`index`, `create`, `update`, `upsert` or `delete`; a document to delete is `{}`."""
    routing: str | None = None


class Unreadable(ValueError):
    """The body is not in its format; the text says where."""


@lru_cache(1024)
def kind_of(format: Format, content_type: str | None) -> Kind:
    """Return the format of a body; the spec's `format` has priority over the content type."""
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
    # Some clients send every body as application/octet-stream.
    return "unknown"


class TooLarge(Unreadable):
    """The body is larger than `max_message`."""


def too_large(body: bytes, most: int) -> TooLarge:
    """Return the error for a body of more than `most` bytes."""
    return TooLarge(f"has {len(body)} bytes, which is more than max_message ({size_text(most)})")


def json_reader(
    otherwise: Callable[[bytes, float, str], T], most: int = sys.maxsize
) -> Callable[[bytes, float], bytes | T]:
    """Build a reader of JSON objects; it passes other bodies to `otherwise`.

    The reader returns an object on one line unchanged, and puts any other on one line. For a body
    of more than `most` bytes it raises `TooLarge` without reading it.

    `otherwise`: (body, arrived_at in seconds since 1970, problem) -> the result.
    """

    def read(body: bytes, arrived_at: float) -> bytes | T:
        if len(body) > most:
            raise too_large(body, most)
        try:
            # With an empty struct, msgspec checks the syntax of everything and builds nothing: 0.2
            # µs for 250 bytes, a third of what building a dict takes.
            _check_object(body)
            if not body.isascii():
                body.decode()  # msgspec accepts invalid UTF-8 in fields that it skips
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
    """Return `{"message": text, "@timestamp": time of arrival}`; raises `Unreadable`."""
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not text in UTF-8: {error}") from None
    return msgspec.json.encode({"message": text, "@timestamp": _printed(arrived_at)})


@lru_cache(16)  # messages that arrive together have the same time
def _printed(arrived_at: float) -> str:
    at = datetime.fromtimestamp(arrived_at, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def read_msgpack(body: bytes, _arrived_at: float) -> bytes:
    """Convert a MessagePack map to JSON; raises `Unreadable`."""
    try:
        return msgspec.json.encode(_decode_map(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise Unreadable(f"not a MessagePack map that JSON can hold: {error}") from None
    except RecursionError:
        raise Unreadable("not a MessagePack map: nested too deeply") from None


def decode(document: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object.

    It checks more than the readers do: a number that no float can hold is valid JSON, but has no
    value here.

    Raises:
        Unreadable: it is no JSON object, or a field has no value.
    """
    try:
        return _decode_object(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse(document, 0.0, str(error))
    except RecursionError:
        _refuse(document, 0.0, _TOO_DEEP)


def decoder(names: Collection[str] | None) -> Decode:
    """Build a `decode` that returns only the fields of these names; `None`: all fields.

    It checks the syntax of the others and skips them: two fields of eight take half the time of all
    eight. A field without a value does not matter if no step needs it.
    """
    if names is None:
        return decode
    wanted = TypedDict("Wanted", dict.fromkeys(names, Any), total=False)  # type: ignore[misc]
    read: Decode = msgspec.json.Decoder(cast(Any, wanted)).decode

    def decode_wanted(document: bytes) -> dict[str, Any]:
        try:
            if not document.isascii():
                document.decode()  # msgspec accepts invalid UTF-8 in fields that it skips
            return read(document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _refuse(document, 0.0, str(error))
        except RecursionError:
            _refuse(document, 0.0, _TOO_DEEP)

    return decode_wanted


def on_one_line(document: bytes) -> bytes:
    """Return a JSON object on one line; unchanged if it has no newline."""
    return msgspec.json.format(document, indent=-1) if NEWLINE in document else document


def lines_of(body: bytes) -> list[bytes]:
    """Return the lines of a body whose documents have one or two lines each.

    Raises:
        Unreadable: there are more lines than `MAX_DOCUMENTS` documents can have.
    """
    if body.count(b"\n") > 2 * MAX_DOCUMENTS:
        raise Unreadable(f"more than {2 * MAX_DOCUMENTS} lines")
    return body.removeprefix(BOM_UTF8).rstrip().split(b"\n")


def _refuse(_body: bytes, _arrived_at: float, problem: str) -> NoReturn:
    raise Unreadable(f"not a JSON object: {problem}")


class _Object(msgspec.Struct):
    """Any JSON object: msgspec checks and skips unknown fields."""


_check_object = msgspec.json.Decoder(_Object).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_map = msgspec.msgpack.Decoder(dict[str, object]).decode
NEWLINE = 10
_TOO_DEEP = "nested too deeply"

read_json: Read = json_reader(_refuse)
"""Returns a JSON object on one line; unchanged if it is on one line already."""
