"""Reads bodies made for Elasticsearch's `_bulk`: an action on one line, its document on the next.

Pure. Every publisher can write these bodies, so they reach no index that the spec does not name,
and what an action asks for is either done or refused: never is something left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Literal

import msgspec
from msgspec.structs import replace

from connectors.connector import NameRules
from flows.messages.formats import Document, Unreadable, lines_of, read_json


def cut(body: bytes) -> list[bytes]:
    """The lines of each document, one or two.

    Raises:
        Unreadable: a line is no action, so that the meaning of the lines after it is unknown; or
            the last document is not there.
    """
    pieces: list[bytes] = []
    lines = iter(enumerate(lines_of(body), start=1))
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            names = list(_decode_name(line))
        except _BROKEN as error:
            raise Unreadable(f"line {number}: no action: {_told(error)}") from None
        if len(names) != 1:
            raise Unreadable(f"line {number}: no action: it has {len(names)} names")
        if names == ["delete"]:
            pieces.append(line)
            continue
        _, source = next(lines, (0, None))
        if source is None:
            raise Unreadable(f"line {number}: cut off: no document follows the action")
        pieces.append(b"%b\n%b" % (line, source))
    return pieces


def join(pieces: Sequence[bytes]) -> bytes:
    """The body that has these documents."""
    return b"".join(piece + b"\n" for piece in pieces)


def document_reader(names: NameRules, indices: Sequence[str] | None) -> Callable[[bytes], Document]:
    """The reading of what `cut` has cut.

    A document may name an index that is among `indices`, in which `*` stands for any text; but one
    that begins with a dot, as Elasticsearch's own do, only where the pattern does so too. With any
    other it is refused. With `None` it makes no difference what a document names.
    """
    most = names.max_id_bytes
    if indices is None:
        return lambda piece: replace(_read(piece, most), index=None)
    patterns = [_pattern(index) for index in indices]
    problem_of = lru_cache(1024)(partial(_problem_of, names, patterns))

    def read(piece: bytes) -> Document:
        document = _read(piece, most)
        problem = None if document.index is None else problem_of(document.index)
        if problem is not None:
            raise Unreadable(f"_index {document.index!r:.300}: {problem}")
        return document

    return read


def _read(piece: bytes, max_id_bytes: int) -> Document:
    line, _, source = piece.partition(b"\n")
    try:
        [(name, metadata)] = _decode_action(line).items()
        action: str = name
        if name == "delete":
            source = b"{}"
        elif name == "update":
            update = _decode_update(source)
            action, source = "upsert" if update.doc_as_upsert else name, bytes(update.doc)
    except _BROKEN as error:
        raise Unreadable(f"no action that is known here: {_told(error)}") from None
    id = _id(metadata, max_id_bytes, needed=name in ("update", "delete"))
    routing = None if metadata.routing is None else str(metadata.routing)
    document = read_json(source.rstrip(), 0.0)
    return Document(document, index=metadata.index, id=id, action=action, routing=routing)


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """What is understood of an action. Elasticsearch reads numbers as text here."""

    index: str | None = msgspec.field(name="_index", default=None)
    id: str | int | None = msgspec.field(name="_id", default=None)
    routing: str | int | None = None
    type: str | None = msgspec.field(name="_type", default=None)
    """Elasticsearch had types until its version 7; what they were named changes nothing now."""
    retry_on_conflict: int | None = None
    """Without it a conflict is met the way the sink meets all conflicts."""


class _Update(msgspec.Struct, forbid_unknown_fields=True):
    doc: msgspec.Raw
    doc_as_upsert: bool = False


class _Anything(msgspec.Struct):
    pass


def _told(error: Exception) -> str:
    """Its text, which may hold what the sender has written, on one line."""
    return " ".join(str(error)[:300].split())


def _id(metadata: _Metadata, max_bytes: int, needed: bool) -> str | None:
    id = None if metadata.id is None else str(metadata.id)
    if id == "" or (id is None and needed):
        raise Unreadable("the action has no _id")
    if id is not None and len(id.encode()) > max_bytes:
        raise Unreadable(f"long_id: an _id has at most {max_bytes} bytes")
    return id


def _problem_of(names: NameRules, patterns: Sequence[re.Pattern[str]], index: str) -> str | None:
    if not any(pattern.fullmatch(index) for pattern in patterns):
        return "it is none of those that the spec allows"
    return names.problem_of_index(index)


def _pattern(index: str) -> re.Pattern[str]:
    any_text = re.escape(index).replace(r"\*", ".*")
    return re.compile(any_text if index.startswith(".") else rf"(?!\.){any_text}")


_Name = Literal["index", "create", "update", "delete"]
_decode_name = msgspec.json.Decoder(dict[_Name, _Anything]).decode
_decode_action = msgspec.json.Decoder(dict[_Name, _Metadata]).decode
_decode_update = msgspec.json.Decoder(_Update).decode
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
