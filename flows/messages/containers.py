"""Splits bodies of several documents, reads each document, and joins documents to a body again.

Pure. Each document is read by itself, so one unreadable document does not affect the others. A body
that cannot be split is refused as a whole, because its documents are unknown. So is an array with
anything but objects in it: it is one value, not a list of documents.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from connectors.connector import NameRules
from flows.messages import bulk_bodies
from flows.messages.formats import MAX_DOCUMENTS, Document, Kind, Unreadable, lines_of, read_json


class Refused(NamedTuple):
    """A document that cannot be read, and why."""

    reason: str


Pieces = list[Document | Refused]
"""The documents of a body, in order; at least one of them is readable."""
Read = Callable[[bytes, float], bytes | Pieces]
"""(body, arrived_at in seconds since 1970) -> its one document, or its several documents."""


class Container(NamedTuple):
    """A format of bodies with several documents."""

    cut: Callable[[bytes], list[bytes]]
    document: Callable[[bytes], Document]
    join: Callable[[Sequence[bytes]], bytes]

    def split(self, body: bytes) -> bytes | Pieces:
        """Return the documents; a single one without metadata is returned as bytes.

        Raises:
            Unreadable: the body cannot be split, or none of its documents is readable.
        """
        cut = self.cut(body)
        if len(cut) > MAX_DOCUMENTS:
            raise Unreadable(_TOO_MANY)
        pieces: Pieces = [self._read(piece) for piece in cut]
        match pieces:
            case []:
                # Reject it: to acknowledge it would claim that something is stored.
                raise Unreadable("empty: the body has no document")
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


def container_of(kind: Kind, names: NameRules, indices: Sequence[str] | None) -> Container | None:
    """Return the container format of bodies of a kind; `None`: they have one document.

    Documents of `es_bulk` may name `indices`: see `bulk_bodies.document_reader`.
    """
    if kind == "es_bulk":
        read = bulk_bodies.document_reader(names, indices)
        return Container(bulk_bodies.cut, read, bulk_bodies.join)
    if kind == "ndjson":
        return Container(_cut_lines, _read_piece, bulk_bodies.join)
    if kind in ("json", "unknown"):
        return Container(_cut_array, _read_piece, lambda pieces: b"[%b]" % b",".join(pieces))
    return None


def _read_piece(piece: bytes) -> Document:
    return Document(read_json(piece.rstrip(), 0.0))


def _cut_lines(body: bytes) -> list[bytes]:
    return [line for line in lines_of(body) if line and not line.isspace()]


def is_array(body: bytes) -> bool:
    """Return whether a body begins like a JSON array."""
    return _ARRAY(body) is not None


def _cut_array(body: bytes) -> list[bytes]:
    body = body.removeprefix(BOM_UTF8)
    try:
        if body.count(b",") >= MAX_DOCUMENTS:  # count exactly only if there may be too many
            _count_elements(body)
        elements = [bytes(element).strip() for element in _decode_array(body)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"not a JSON array: {error}") from None
    except RecursionError:
        raise Unreadable("not a JSON array: nested too deeply") from None
    except OverflowError:
        raise Unreadable(_TOO_MANY) from None
    for number, element in enumerate(elements, start=1):
        if element[:1] != b"{":
            raise NoArrayOfObjects(number, elements)
    return elements


class NoArrayOfObjects(Unreadable):
    """A JSON array with a value that is no object."""

    def __init__(self, number: int, elements: Sequence[bytes]) -> None:
        kind = _KINDS.get(elements[number - 1][:1], "a number")
        super().__init__(
            f"not an array of objects: number {number} of its {len(elements)} values is {kind}"
        )
        self.has_objects = any(element[:1] == b"{" for element in elements)


def _count_elements(body: bytes) -> None:
    """Raise `OverflowError` if there are more than `MAX_DOCUMENTS`, without keeping any of them."""
    left = iter(range(MAX_DOCUMENTS))

    def count(_type: type, _value: object) -> _Element:
        if next(left, None) is None:
            raise OverflowError
        return _ELEMENT

    msgspec.json.decode(body, type=list[_Element], dec_hook=count)


class _Element:
    """Stands for any value, which is not kept."""


_ELEMENT = _Element()
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\[").match
_KINDS = {b"[": "an array", b'"': "a text", b"t": "true", b"f": "false", b"n": "null"}
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOO_MANY = f"more than {MAX_DOCUMENTS} documents"
