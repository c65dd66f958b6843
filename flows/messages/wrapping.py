"""What stands between a message's bytes and its text in UTF-8: how it is packed, and its charset.

Pure. It is told by the envelope, or, where that says nothing, shown by the first bytes.
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
    """A codec of Python's; `None`: UTF-8."""
    mark: bytes = b""
    """A byte order mark that stands before the text and is no part of it."""
    unknown: str | None = None
    """A header `compression` of a value that is not known, and so is not obeyed."""

    @property
    def is_any(self) -> bool:
        """Whether there is something to undo."""
        return bool(self.codings or self.charset)

    @property
    def may_be_text(self) -> bool:
        """Whether what it was known by may as well be the beginning of a text, as in `x^2`."""
        return self.codings == ("deflate",)

    def undo(self, body: bytes, most: int) -> bytes:
        """The text, of a body that has no more than `most` bytes when it is unpacked.

        Raises:
            Unreadable: it is not wrapped so; or it is `TooLarge`.
        """
        return self.unwrap(body, most)[0]

    def unwrap(self, body: bytes, most: int) -> tuple[bytes, Wrapping]:
        """The text, and how just this body is wrapped; raises as `undo` does."""
        packed, charset, mark = self.codings, self.charset, b""
        if charset is not None and not packed and recognise(body) == "gzip":
            packed = ("gzip",)  # in most charsets these bytes are text, but none that is written
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
        """A body that is wrapped so."""
        if self.charset is not None:
            text = self.mark + from_utf_8(text, self.charset)
        return pack(text, self.codings)

    def told(self, error: Unreadable) -> Unreadable:
        """An error, with what may be the cause of it."""
        if self.unknown is None:
            return error
        return Unreadable(f"{error} (compression {self.unknown!r} is not undone: {KNOWN_OF_KOMBU})")


def of_envelope(
    content_type: str | None, content_encoding: str | None, compression: str | None
) -> Wrapping:
    """What an envelope says; `compression` is that header.

    Raises:
        Unreadable: it says what is not known.
    """
    unknown = compression if compression and not is_obeyed(compression) else None
    done = codings(content_encoding, compression)
    charset = charset_of(content_type) or charset_in(content_encoding)
    return Wrapping(done, None if charset == UTF_8 else charset, unknown=unknown)


def hidden(body: bytes) -> Wrapping | None:
    """How a body is wrapped of which nothing is said; `None`: it does not look as if it were."""
    coding = recognise(body)
    if coding is not None:
        return Wrapping((coding,))
    return None if wide_mark_of(body) is None else Wrapping()
