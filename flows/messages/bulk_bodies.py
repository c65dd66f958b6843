"""Reads bodies made for Elasticsearch's `_bulk`: an action on one line, its document on the next.

Pure. Any publisher can write these bodies, so they reach only indices that the spec names. An
action that Hopper does not support is refused, and never ignored.
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
    """Return the one or two lines of each document.

    Raises:
        Unreadable: a line is no action, so the meaning of the lines after it is unknown; or the
            last document is missing.
    """
    pieces: list[bytes] = []
    lines = iter(enumerate(lines_of(body), start=1))
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            names = list(_decode_name(line))
        except _BROKEN as error:
            raise Unreadable(f"line {number}: no action: {_one_line(error)}") from None
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
    """Return a body of these documents."""
    return b"".join(piece + b"\n" for piece in pieces)


def document_reader(names: NameRules, indices: Sequence[str] | None) -> Callable[[bytes], Document]:
    """Build the function that reads one result of `cut`.

    A document may name an index that matches one of `indices`, where `*` matches any text. An index
    that begins with a dot, as Elasticsearch's own do, needs a pattern that begins with a dot. Any
    other index is refused. `None`: ignore the indices that documents name.
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
        raise Unreadable(f"unknown action: {_one_line(error)}") from None
    id = _id(metadata, max_id_bytes, needed=name in ("update", "delete"))
    routing = None if metadata.routing is None else str(metadata.routing)
    document = read_json(source.rstrip(), 0.0)
    return Document(document, index=metadata.index, id=id, action=action, routing=routing)


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """The supported fields of an action. Elasticsearch reads numbers as text here."""

    index: str | None = msgspec.field(name="_index", default=None)
    id: str | int | None = msgspec.field(name="_id", default=None)
    routing: str | int | None = None
    type: str | None = msgspec.field(name="_type", default=None)
    """Ignored: Elasticsearch had types up to version 7."""
    retry_on_conflict: int | None = None
    """Ignored: the sink handles all conflicts the same way."""


class _Update(msgspec.Struct, forbid_unknown_fields=True):
    doc: msgspec.Raw
    doc_as_upsert: bool = False


class _Anything(msgspec.Struct):
    pass


def _one_line(error: Exception) -> str:
    """Return the text of an error, which may quote the body, on one line."""
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
        return "the spec does not allow this index"
    return names.problem_of_index(index)


def _pattern(index: str) -> re.Pattern[str]:
    any_text = re.escape(index).replace(r"\*", ".*")
    return re.compile(any_text if index.startswith(".") else rf"(?!\.){any_text}")


_Name = Literal["index", "create", "update", "delete"]
_decode_name = msgspec.json.Decoder(dict[_Name, _Anything]).decode
_decode_action = msgspec.json.Decoder(dict[_Name, _Metadata]).decode
_decode_update = msgspec.json.Decoder(_Update).decode
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
