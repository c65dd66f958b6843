"""Charsets: what text in one of them is in UTF-8, and back.

Pure. A byte order mark says more surely than a charset what a body is, so it comes first; but for
UTF-16 and UTF-32, whose own it is.
"""

from __future__ import annotations

import encodings
import pkgutil
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from encodings.aliases import aliases
from functools import cache, lru_cache

from flows.messages.formats import Unreadable

NO_CHARSETS = ("", "binary", "identity", "none", "7bit", "8bit")
"""What senders write who have nothing to say."""


@lru_cache(1024)
def charset_of(content_type: str | None) -> str | None:
    """The codec of a content type's `charset`; `None`: there is none.

    Raises:
        Unreadable: it names a charset that is not known.
    """
    for name, value in _PARAMETER(content_type or ""):
        if name.lower() == "charset":
            charset = value.strip().strip("\"'").strip()
            if charset.lower() in NO_CHARSETS:
                return None
            codec = codec_of(charset)
            if codec is None:
                raise Unreadable(f"charset {charset!r:.100} of the content type is not known")
            return codec
    return None


@lru_cache(1024)
def codec_of(charset: str) -> str | None:
    """The name of Python's codec; `None`: there is none for text. ASCII is a part of UTF-8."""
    name = encodings.normalize_encoding(charset.lower())
    # Python keeps each name that it was asked for: so it is asked for no others.
    if name in _NO_TEXT or (name not in aliases and name not in _codecs()):
        return None
    try:
        b"a".decode(name, "replace")
    except LookupError:  # bytes to bytes, or of another system
        return None
    name = aliases.get(name, name)
    return UTF_8 if name in (UTF_8, "ascii", "utf_8_sig") else name


def mark_of(body: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that a body begins with, and the codec of what is behind it."""
    return next((mark for mark in _MARKS if body.startswith(mark[0])), None)


def wide_mark_of(body: bytes) -> tuple[bytes, str] | None:
    """The same, of UTF-16 and UTF-32 only."""
    mark = mark_of(body)
    return None if mark is None or mark[1] == UTF_8 else mark


def is_marked_otherwise(body: bytes, codec: str) -> bool:
    """Whether a byte order mark says that the body is in another charset."""
    return not codec.startswith(("utf_16", "utf_32", "utf_7")) and mark_of(body) is not None


def to_utf_8(body: bytes, codec: str) -> bytes:
    """The same text in UTF-8.

    Raises:
        Unreadable: it is no such text; the reason says where.
    """
    try:
        return body.decode(_ordered(body, codec)).encode()
    except UnicodeError as error:
        raise Unreadable(f"not text in {codec.replace('_', '-')}: {error}") from None


def from_utf_8(text: bytes, codec: str) -> bytes:
    """What `to_utf_8` makes of the result is this text again.

    The few charsets that cannot say again all that was read from them are left for UTF-8, with the
    mark that says so.
    """
    try:
        encoded = text.decode().encode(codec)
        if encoded.decode(codec).encode() == text:
            return encoded
    except UnicodeError:
        pass
    return BOM_UTF8 + text


def _ordered(body: bytes, codec: str) -> str:
    """Without a mark, the first character shows the order if it is below U+0100, as in all JSON."""
    if codec not in _WIDTHS or mark_of(body) is not None:
        return codec
    width = _WIDTHS[codec]
    is_big = body[:1] == b"\0" and body[width - 1 : width] != b"\0"
    return f"{codec}_{'be' if is_big else 'le'}"


@cache
def _codecs() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(encodings.__path__))


UTF_8 = "utf_8"
_WIDTHS = {"utf_16": 2, "utf_32": 4}
_NO_TEXT = frozenset(
    ("aliases", "charmap", "idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
)
"""What Python has for itself: no message is in it, and some take seconds for a long one."""
_MARKS = (
    (BOM_UTF8, UTF_8),
    (BOM_UTF32_LE, "utf_32_le"),  # it begins as that of UTF-16 does
    (BOM_UTF32_BE, "utf_32_be"),
    (BOM_UTF16_LE, "utf_16_le"),
    (BOM_UTF16_BE, "utf_16_be"),
)
_PARAMETER = re.compile(r""";\s*([^\s=;"]+)\s*=\s*("[^"]*"|[^;]*)""").findall
