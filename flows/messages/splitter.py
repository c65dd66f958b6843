"""How the bodies of a source are read: unpacked, made UTF-8, and taken apart.

Pure. What the envelope says of a body is obeyed. What it does not say is found out only where the
body cannot be read as it is; so it costs nothing where it can.
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
    """How the bodies of a source are read."""

    def __init__(
        self,
        format: Format,
        max_message: int,
        names: NameRules,
        indices: Sequence[str] | None = (),
        decode: Decode = decode,
    ) -> None:
        """`max_message` bytes is the most that a body may have, unpacked if it is packed.

        Documents of `es_bulk` may name `indices`: see `bulk_bodies.document_reader`. `names` holds
        the sink's limits for names. `decode` finds the fields of a document: see `formats.decoder`.
        """

        def reading(
            content_type: str | None, content_encoding: str | None, compression: str | None = None
        ) -> Reading:
            kind = kind_of(format, content_type)
            # MessagePack has no charset.
            said_of_text = None if kind == "msgpack" else content_type
            wrapping = of_envelope(said_of_text, content_encoding, compression)
            return Reading(kind, wrapping, max_message, names, indices, decode)

        self._reading = lru_cache(1024)(reading)
        self._last: tuple[str | None, str | None, Reading] | None = None
        """Most messages are read as the one before: to compare takes half as long as to look up."""

    def reading(self, properties: Properties) -> Reading:
        """How bodies of messages with these properties are read; the same object for the same ones.

        Raises:
            Unreadable: how they are packed, or their charset, is not known.
        """
        content_type, content_encoding = properties.content_type, properties.content_encoding
        headers = properties.headers
        if headers is not None and "compression" in headers:
            compression = headers["compression"]
            # A header may have megabytes, and what a reading is found by is kept.
            said = compression[:100] if isinstance(compression, str) else None
            return self._reading(content_type, content_encoding, said)
        last = self._last
        if last is not None and last[0] == content_type and last[1] == content_encoding:
            return last[2]
        found = self._reading(content_type, content_encoding)
        self._last = content_type, content_encoding, found
        return found


class Reading:
    """How bodies of one kind are read."""

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
        """Read a body; raises `Unreadable`. A body with one document, and nothing to say of it, is
        that document alone, however it came."""

    def read_fields(self, body: bytes, arrived_at: float) -> tuple[bytes, dict[str, Any]] | Pieces:
        """Read a body, and the fields of its one document; JSON is parsed once for both.

        Raises:
            Unreadable: see `read` and `decode`.
        """
        if self._wrapped:
            body = self._wrapping.undo(body, self._most)
        if self._json and len(body) <= self._most:
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

    def _read_wrapped(self, body: bytes, arrived_at: float) -> bytes | Pieces:
        return self._read(self._wrapping.undo(body, self._most), arrived_at)

    def _plain_reader(self) -> Read:
        """What reads a body that is as it seems to be."""
        container = self._container
        if container is None:
            return read_text if self._kind == "text" else read_msgpack
        if not self._json:
            return lambda body, _: container.split(body)
        return json_reader(self._split)

    def _checked_reader(self) -> Read:
        """What looks at the size first, and looks again when a body cannot be read as it is."""
        if self._json:
            return json_reader(self._split_or_look_again, self._most)
        plain, most = self._read_plain, self._most

        def read(body: bytes, arrived_at: float) -> bytes | Pieces:
            if len(body) > most:
                raise too_large(body, most)
            try:
                return plain(body, arrived_at)
            except Unreadable as error:
                return self._look_again(body, arrived_at, error)

        return read

    def _split(self, body: bytes, arrived_at: float, problem: str) -> bytes | Pieces:
        """Take a JSON array apart, or make what is no JSON a text where that is what it may be."""
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

    def _split_or_look_again(self, body: bytes, arrived_at: float, problem: str) -> bytes | Pieces:
        try:
            return self._split(body, arrived_at, problem)
        except Unreadable as error:
            return self._look_again(body, arrived_at, error)

    def _look_again(self, body: bytes, arrived_at: float, error: Unreadable) -> bytes | Pieces:
        """Read what the first bytes of a body show to be packed, or in another charset."""
        inner = hidden(body)
        if inner is None:
            raise self._wrapping.told(error)
        try:
            plain = inner.undo(body, self._most)
        except TooLarge:
            raise
        except Unreadable as broken:
            raise self._wrapping.told(error if inner.may_be_text else broken) from None
        return self._read_plain(plain, arrived_at)


def name_of_part(name: str, position: int, source: bytes, max_bytes: int | None) -> str:
    """Return the name of a document, made of its message's name; `None`: of any length.

    Always the same for the same message. The source is in it because what is parked of a message
    has its name and other positions: published again, it must not replace what was stored.
    """
    digest = blake2b(source, digest_size=8).hexdigest()
    part = f"{name}#{position}#{digest}"
    if max_bytes is None or len(part.encode()) <= max_bytes:
        return part
    return blake2b(part.encode(), digest_size=16).hexdigest()
