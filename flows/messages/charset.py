"""Converts text between UTF-8 and other charsets.

Pure. A byte order mark outranks the charset of the envelope, because it is more reliable; except
with UTF-16 and UTF-32, to which the mark belongs.
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
"""Values that senders use for no charset and no coding."""


@lru_cache(1024)
def charset_of(content_type: str | None) -> str | None:
    """Return the codec of a content type's `charset`; `None`: there is none.

    Raises:
        Unreadable: the charset is unknown.
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
    """Return the name of Python's codec for text; `None`: there is none. ASCII counts as UTF-8."""
    name = encodings.normalize_encoding(charset.lower())
    # Python caches every name that it looks up: so look up known names only.
    if name in _NO_TEXT or (name not in aliases and name not in _codecs()):
        return None
    try:
        b"a".decode(name, "replace")
    except LookupError:  # bytes to bytes, or of another system
        return None
    name = aliases.get(name, name)
    return UTF_8 if name in (UTF_8, "ascii", "utf_8_sig") else name


def mark_of(body: bytes) -> tuple[bytes, str] | None:
    """Return the byte order mark at the start of a body, and its codec."""
    return next((mark for mark in _MARKS if body.startswith(mark[0])), None)


def wide_mark_of(body: bytes) -> tuple[bytes, str] | None:
    """Return the same, for UTF-16 and UTF-32 only."""
    mark = mark_of(body)
    return None if mark is None or mark[1] == UTF_8 else mark


def is_marked_otherwise(body: bytes, codec: str) -> bool:
    """Return whether a byte order mark shows that the body is in another charset."""
    return not codec.startswith(("utf_16", "utf_32", "utf_7")) and mark_of(body) is not None


def to_utf_8(body: bytes, codec: str) -> bytes:
    """Return the same text in UTF-8.

    Raises:
        Unreadable: the body is not text in this charset; the reason names the position.
    """
    try:
        return body.decode(_ordered(body, codec)).encode()
    except UnicodeError as error:
        raise Unreadable(f"not text in {codec.replace('_', '-')}: {error}") from None


def from_utf_8(text: bytes, codec: str) -> bytes:
    """Return a body that `to_utf_8` converts to this text again.

    A few charsets cannot encode all text that they decode: then the result is UTF-8, with a byte
    order mark.
    """
    try:
        encoded = text.decode().encode(codec)
        if encoded.decode(codec).encode() == text:
            return encoded
    except UnicodeError:
        pass
    return BOM_UTF8 + text


def _ordered(body: bytes, codec: str) -> str:
    """Add the byte order; without a mark, a first character below U+0100 shows it, as in JSON."""
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
"""Codecs for Python itself: no message uses them, and some take seconds for a long text."""
_MARKS = (
    (BOM_UTF8, UTF_8),
    (BOM_UTF32_LE, "utf_32_le"),  # before UTF-16, whose mark is a prefix of this one
    (BOM_UTF32_BE, "utf_32_be"),
    (BOM_UTF16_LE, "utf_16_le"),
    (BOM_UTF16_BE, "utf_16_be"),
)
_PARAMETER = re.compile(r""";\s*([^\s=;"]+)\s*=\s*("[^"]*"|[^;]*)""").findall
