"""Converts bodies to text in UTF-8 and back: undoes compression, and converts charsets.

Pure. The envelope names both; if it names none, the first bytes of the body may show them.
"""

from __future__ import annotations

from typing import NamedTuple

from flows.messages.charset import (
    UTF_8,
    charset_of,
    from_utf_8,
    is_marked_otherwise,
    to_utf_8,
    wide_mark_of,
)
from flows.messages.encoding import (
    KNOWN_OF_KOMBU,
    charset_in,
    codings,
    is_obeyed,
    pack,
    recognise,
    unpack,
)
from flows.messages.formats import Unreadable, too_large


class Wrapping(NamedTuple):
    """How a text in UTF-8 became a body."""

    codings: tuple[str, ...] = ()
    """In order: see `encoding.codings`."""
    charset: str | None = None
    """The name of Python's codec; `None`: UTF-8."""
    mark: bytes = b""
    """A byte order mark before the text."""
    unknown: str | None = None
    """An unknown value of the header `compression`, which is ignored."""

    @property
    def is_any(self) -> bool:
        """Whether the body is compressed, or in another charset."""
        return bool(self.codings or self.charset)

    @property
    def may_be_text(self) -> bool:
        """Whether the first bytes that show the coding may also begin a text, as in `x^2`."""
        return self.codings == ("deflate",)

    def undo(self, body: bytes, most: int) -> bytes:
        """Return the text of a body.

        Raises:
            Unreadable: the body is not wrapped like this; or `TooLarge`: it unpacks to more than
                `most` bytes.
        """
        return self.unwrap(body, most)[0]

    def unwrap(self, body: bytes, most: int) -> tuple[bytes, Wrapping]:
        """Return the text, and the wrapping of this one body; raises the errors of `undo`."""
        packed, charset, mark = self.codings, self.charset, b""
        if charset is not None and not packed and recognise(body) == "gzip":
            packed = ("gzip",)  # in most charsets these bytes are text, but no real text has them
        body = unpack(body, packed, most)
        if len(body) > most:
            raise too_large(body, most)
        wide = wide_mark_of(body)
        if wide is not None and (charset is None or is_marked_otherwise(body, charset)):
            mark, charset = wide
            body = body[len(mark) :]
        elif charset is not None and is_marked_otherwise(body, charset):
            charset = None
        if charset is not None:
            body = to_utf_8(body, charset)
        return body, Wrapping(packed, charset, mark)

    def redo(self, text: bytes) -> bytes:
        """Return a text as a body with this wrapping."""
        if self.charset is not None:
            text = self.mark + from_utf_8(text, self.charset)
        return pack(text, self.codings)

    def with_cause(self, error: Unreadable) -> Unreadable:
        """Return the error, with a possible cause: an unknown compression."""
        if self.unknown is None:
            return error
        return Unreadable(f"{error} (compression {self.unknown!r} is not undone: {KNOWN_OF_KOMBU})")


def of_envelope(
    content_type: str | None, content_encoding: str | None, compression: str | None
) -> Wrapping:
    """Return the wrapping that an envelope names; `compression`: the header of that name.

    Raises:
        Unreadable: the coding or the charset is unknown.
    """
    unknown = compression if compression and not is_obeyed(compression) else None
    done = codings(content_encoding, compression)
    charset = charset_of(content_type) or charset_in(content_encoding)
    return Wrapping(done, None if charset == UTF_8 else charset, unknown=unknown)


def hidden(body: bytes) -> Wrapping | None:
    """Return the wrapping that the first bytes of a body show; `None`: they show none."""
    coding = recognise(body)
    if coding is not None:
        return Wrapping((coding,))
    return None if wide_mark_of(body) is None else Wrapping()
