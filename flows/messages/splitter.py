"""Reads the bodies of a source: decompresses them, converts them to UTF-8, and splits them.

Pure. It follows the envelope. Only if a body is unreadable as the envelope says, it looks for a
coding or a charset that the envelope does not name; so readable bodies pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from connectors.connector import NameRules
from connectors.message import Properties
from connectors.spec import Format
from flows.messages.containers import NoArrayOfObjects, Pieces, Read, container_of, is_array
from flows.messages.formats import (
    NEWLINE,
    Decode,
    Kind,
    TooLarge,
    Unreadable,
    decode,
    json_reader,
    kind_of,
    on_one_line,
    read_msgpack,
    read_text,
    too_large,
)
from flows.messages.wrapping import Wrapping, hidden, of_envelope


class Splitter:
    """Finds the reading of a message's body by its envelope."""

    def __init__(
        self,
        format: Format,
        max_message: int,
        names: NameRules,
        indices: Sequence[str] | None = (),
        decode: Decode = decode,
    ) -> None:
        """Take the options of a source.

        `max_message`: the largest size of a body in bytes, after decompression. `names`: the sink's
        limits for names. `indices`: those that documents of `es_bulk` may name, see
        `bulk_bodies.document_reader`. `decode`: returns the fields of a document, see
        `formats.decoder`.
        """

        def reading(
            content_type: str | None, content_encoding: str | None, compression: str | None = None
        ) -> Reading:
            kind = kind_of(format, content_type)
            # MessagePack has no charset.
            of_text = None if kind == "msgpack" else content_type
            wrapping = of_envelope(of_text, content_encoding, compression)
            return Reading(kind, wrapping, max_message, names, indices, decode)

        self._reading = lru_cache(1024)(reading)
        self._last: tuple[str | None, str | None, Reading] | None = None
        """The last result: most messages share it, and comparing takes half as long as a lookup."""

    def reading(self, properties: Properties) -> Reading:
        """Return the reading of bodies with these properties; the same object for equal ones.

        Raises:
            Unreadable: their coding or their charset is unknown.
        """
        content_type, content_encoding = properties.content_type, properties.content_encoding
        headers = properties.headers
        if headers is not None and "compression" in headers:
            compression = headers["compression"]
            # The cache keeps its keys, and a header may have megabytes: cut it.
            short = compression[:100] if isinstance(compression, str) else None
            return self._reading(content_type, content_encoding, short)
        last = self._last
        if last is not None and last[0] == content_type and last[1] == content_encoding:
            return last[2]
        found = self._reading(content_type, content_encoding)
        self._last = content_type, content_encoding, found
        return found


class Reading:
    """Reads bodies of one format, coding and charset."""

    def __init__(
        self,
        kind: Kind,
        wrapping: Wrapping,
        max_message: int,
        names: NameRules,
        indices: Sequence[str] | None,
        decode: Decode,
    ) -> None:
        """See `Splitter`."""
        self._kind, self._decode, self._most = kind, decode, max_message
        self._wrapping, self._wrapped = wrapping, wrapping.is_any
        self._json = kind in ("json", "unknown")
        self._container = container_of(kind, names, indices)
        self._read_plain = self._plain_reader()
        self._read = self._checked_reader()
        self.read: Read = self._read_wrapped if self._wrapped else self._read
        """Reads a body; raises `Unreadable`. One document without metadata is returned as bytes,
        in every format."""

    def read_fields(self, body: bytes, arrived_at: float) -> tuple[bytes, dict[str, Any]] | Pieces:
        """Return the documents of a body; a single one with its fields, parsing JSON only once.

        Raises:
            Unreadable: see `read` and `decode`.
        """
        if self._wrapped:
            body = self._wrapping.undo(body, self._most)
        if self._json and len(body) <= self._most:
            try:
                fields = self._decode(body)
            except Unreadable:
                pass  # it may have several documents
            else:
                return (on_one_line(body) if NEWLINE in body else body), fields
        document = self._read(body, arrived_at)
        return document if isinstance(document, list) else (document, self._decode(document))

    def only(self, body: bytes, positions: Sequence[int]) -> bytes:
        """Return a body with only the documents at these positions, in the format of this one."""
        assert self._container is not None
        body, wrapping = self._wrapping.unwrap(body, self._most)
        inner = None
        try:
            self._read_plain(body, 0.0)
        except Unreadable:
            inner = hidden(body)
        if inner is not None:
            body, inner = inner.unwrap(body, self._most)
        pieces = self._container.cut(body)
        part = self._container.join([pieces[at] for at in positions])
        return wrapping.redo(part if inner is None else inner.redo(part))

    def is_guessed_text(self, body: bytes, document: bytes) -> bool:
        """Return whether the document has the body as text only because it is no JSON object."""
        if self._kind != "unknown" or not document.startswith(b'{"message":'):
            return False
        try:
            decode(body)
        except Unreadable:
            return True
        return False

    def _read_wrapped(self, body: bytes, arrived_at: float) -> bytes | Pieces:
        return self._read(self._wrapping.undo(body, self._most), arrived_at)

    def _plain_reader(self) -> Read:
        """Build the function that reads a body as the envelope describes it."""
        container = self._container
        if container is None:
            return read_text if self._kind == "text" else read_msgpack
        if not self._json:
            return lambda body, _: container.split(body)
        return json_reader(self._split)

    def _checked_reader(self) -> Read:
        """Build the function that checks the size first, and tries hidden codings last."""
        if self._json:
            return json_reader(self._split_or_unwrap, self._most)
        plain, most = self._read_plain, self._most

        def read(body: bytes, arrived_at: float) -> bytes | Pieces:
            if len(body) > most:
                raise too_large(body, most)
            try:
                return plain(body, arrived_at)
            except Unreadable as error:
                return self._unwrap_hidden(body, arrived_at, error)

        return read

    def _split(self, body: bytes, arrived_at: float, problem: str) -> bytes | Pieces:
        """Split a JSON array; read a body that is no JSON as text, if its format may be text."""
        container = self._container
        assert container is not None
        try:
            if not is_array(body):
                raise Unreadable(f"not a JSON object: {problem}")
            return container.split(body)
        except Unreadable as error:
            has_documents = isinstance(error, NoArrayOfObjects) and error.has_objects
            if self._kind == "json" or has_documents:
                raise
            return read_text(body, arrived_at)

    def _split_or_unwrap(self, body: bytes, arrived_at: float, problem: str) -> bytes | Pieces:
        try:
            return self._split(body, arrived_at, problem)
        except Unreadable as error:
            return self._unwrap_hidden(body, arrived_at, error)

    def _unwrap_hidden(self, body: bytes, arrived_at: float, error: Unreadable) -> bytes | Pieces:
        """Read a body whose first bytes show a coding or a charset; else raise the error."""
        inner = hidden(body)
        if inner is None:
            raise self._wrapping.with_cause(error)
        try:
            plain = inner.undo(body, self._most)
        except TooLarge:
            raise
        except Unreadable as broken:
            raise self._wrapping.with_cause(error if inner.may_be_text else broken) from None
        return self._read_plain(plain, arrived_at)


def name_of_part(name: str, position: int, source: bytes, max_bytes: int | None) -> str:
    """Return the name of a split message's document; `max_bytes` is `None`: of any length.

    It is the same each time the message is delivered. It includes a hash of the source, because the
    parked rest of a message keeps the message's name but has other positions: when it is replayed,
    it must not replace documents that are stored.
    """
    digest = blake2b(source, digest_size=8).hexdigest()
    part = f"{name}#{position}#{digest}"
    if max_bytes is None or len(part.encode()) <= max_bytes:
        return part
    return blake2b(part.encode(), digest_size=16).hexdigest()
