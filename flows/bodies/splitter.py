"""Takes bodies apart: a message may hold one document, or many, in several ways.

Pure. Of many documents each is read by itself, and one that cannot be read hurts only itself; but a
body that cannot be taken apart is refused whole, since nobody knows what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from connectors.elasticsearch.address import ID_BYTES_MAX
from connectors.message import Properties
from connectors.spec import Format
from flows.bodies import bulk as bulk_body
from flows.bodies.encoding import codings, pack, unpack
from flows.bodies.formats import (
    DOCUMENTS_MOST,
    NEWLINE,
    Decode,
    Document,
    Kind,
    Unreadable,
    decode,
    json_reader,
    kind_of,
    lines_of,
    on_one_line,
    read_json,
    read_msgpack,
    read_text,
)


class Refused(NamedTuple):
    """A document that cannot be read, and why."""

    reason: str


Pieces = list[Document | Refused]
"""What a body of several documents holds, in order; at least one of them can be read."""
Read = Callable[[bytes, float], bytes | Pieces]
"""(body, arrived_at in seconds since 1970) -> the one document, or several."""


class Splitter:
    """How the bodies of a source are read."""

    def __init__(
        self,
        format: Format,
        max_message: int,
        indices: Sequence[str] | None = (),
        decode: Decode = decode,
    ) -> None:
        """`max_message` bytes is the most that a body may unpack to.

        `indices` may be named by documents of `es_bulk`: see `bulk_body.document_reader`; `decode`
        finds the fields of a document, see `formats.decoder`.
        """

        def reading(content_type: str | None, content_encoding: str | None) -> Reading:
            kind = kind_of(format, content_type)
            return Reading(kind, content_encoding, max_message, indices, decode)

        self._reading = lru_cache(1024)(reading)

    def reading(self, properties: Properties) -> Reading:
        """How bodies of messages with these properties are read; the same object for the same ones.

        Raises:
            Unreadable: how they are packed is not known.
        """
        return self._reading(properties.content_type, properties.content_encoding)


class Reading:
    """How bodies of one kind are read."""

    def __init__(
        self,
        kind: Kind,
        content_encoding: str | None,
        max_message: int,
        indices: Sequence[str] | None,
        decode: Decode,
    ) -> None:
        """See `Splitter`."""
        self._decode = decode
        self._encoding, self._most = content_encoding, max_message
        self._way = _way(kind, indices)
        self._packed = bool(codings(content_encoding))
        self._json = kind in ("json", "unknown")
        self._read = _reader(kind, self._way)
        self.read: Read = self._read_packed if self._packed else self._read
        """Read a body; raises `Unreadable`. A body with one document, and nothing to say of it, is
        that document alone, however it came."""

    def read_fields(self, body: bytes, arrived_at: float) -> tuple[bytes, dict[str, Any]] | Pieces:
        """Read a body, and the fields of its one document; JSON is parsed once for both.

        Raises:
            Unreadable: see `read` and `decode`.
        """
        if self._packed:
            body = unpack(body, self._encoding, self._most)
        if self._json:
            try:
                fields = self._decode(body)
            except Unreadable:
                pass  # it may hold several documents
            else:
                return (on_one_line(body) if NEWLINE in body else body), fields
        document = self._read(body, arrived_at)
        return document if isinstance(document, list) else (document, self._decode(document))

    def only(self, body: bytes, positions: Sequence[int]) -> bytes:
        """A body that holds some of the several documents of this one, as they came."""
        assert self._way is not None
        pieces = self._way.cut(unpack(body, self._encoding, self._most))
        return pack(self._way.join([pieces[at] for at in positions]), self._encoding)

    def _read_packed(self, body: bytes, arrived_at: float) -> bytes | Pieces:
        return self._read(unpack(body, self._encoding, self._most), arrived_at)


def name_of_part(name: str, position: int, source: bytes = b"") -> str:
    """What a document is called after its message's name, short enough for an `_id`.

    Always the same for the same message. The source is in it because what is parked of a message
    has its name and other positions: published again, it must not replace what was stored.
    """
    digest = blake2b(source, digest_size=8).hexdigest()
    part = f"{name}#{position}#{digest}"
    if len(part.encode()) <= ID_BYTES_MAX:
        return part
    return blake2b(part.encode(), digest_size=16).hexdigest()


class _Way(NamedTuple):
    """How several documents are in one body."""

    cut: Callable[[bytes], list[bytes]]
    document: Callable[[bytes], Document]
    join: Callable[[Sequence[bytes]], bytes]

    def split(self, body: bytes) -> bytes | Pieces:
        cut = self.cut(body)
        if len(cut) > DOCUMENTS_MOST:
            raise Unreadable(_TOO_MANY)
        pieces: Pieces = [self._read(piece) for piece in cut]
        match pieces:
            case []:
                # It is not acknowledged as if it had been stored: nothing was.
                raise Unreadable("empty: there is no document in it")
            case [Document(source, None, None, None, None)]:
                return source
            case [Refused(reason), *_] if all(isinstance(piece, Refused) for piece in pieces):
                raise Unreadable(f"document 1 of {len(pieces)}: {reason}")
        return pieces

    def _read(self, piece: bytes) -> Document | Refused:
        try:
            return self.document(piece)
        except Unreadable as error:
            return Refused(str(error))


def _way(kind: Kind, indices: Sequence[str] | None) -> _Way | None:
    if kind == "es_bulk":
        return _Way(bulk_body.cut, bulk_body.document_reader(indices), bulk_body.join)
    if kind == "ndjson":
        return _Way(_cut_lines, _read_piece, bulk_body.join)
    if kind in ("json", "unknown"):
        return _Way(_cut_array, _read_piece, lambda pieces: b"[%b]" % b",".join(pieces))
    return None


def _reader(kind: Kind, way: _Way | None) -> Read:
    if way is None:
        return read_text if kind == "text" else read_msgpack
    if kind in ("ndjson", "es_bulk"):
        return lambda body, _: way.split(body)

    def split(body: bytes, _arrived_at: float, problem: str) -> bytes | Pieces:
        if not _ARRAY.match(body):
            raise Unreadable(f"not a JSON object: {problem}")
        return way.split(body)

    def split_or_text(body: bytes, arrived_at: float, problem: str) -> bytes | Pieces:
        try:
            return split(body, arrived_at, problem)
        except Unreadable:
            return read_text(body, arrived_at)

    return json_reader(split if kind == "json" else split_or_text)


def _read_piece(piece: bytes) -> Document:
    return Document(read_json(piece.rstrip(), 0.0))


def _cut_lines(body: bytes) -> list[bytes]:
    return [line for line in lines_of(body) if line and not line.isspace()]


def _cut_array(body: bytes) -> list[bytes]:
    try:
        if body.count(b",") >= DOCUMENTS_MOST:  # only then there may be too many
            _count_elements(body)
        return [bytes(element) for element in _decode_array(body)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"not a JSON array: {error}") from None
    except RecursionError:
        raise Unreadable("not a JSON array: nested too deeply") from None
    except OverflowError:
        raise Unreadable(_TOO_MANY) from None


def _count_elements(body: bytes) -> None:
    """Stop at one too many, where they are not yet in memory: see `DOCUMENTS_MOST`."""
    left = iter(range(DOCUMENTS_MOST))

    def count(_type: type, _value: object) -> _Element:
        if next(left, None) is None:
            raise OverflowError
        return _ELEMENT

    msgspec.json.decode(body, type=list[_Element], dec_hook=count)


class _Element:
    """Any value, of which nothing is kept."""


_ELEMENT = _Element()
_ARRAY = re.compile(rb"[ \t\r\n]*\[")
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOO_MANY = f"more than {DOCUMENTS_MOST} documents"
