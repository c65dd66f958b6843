"""Decompresses bodies, and compresses the body of a message that Hopper makes.

The property `content_encoding`, kombu's header `compression`, or the first bytes name the coding.

Pure. Decompression stops at the limit: a small body that would unpack to gigabytes is refused at
the first byte too many.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

from typing_extensions import Buffer

from flows.messages.charset import NO_CHARSETS, codec_of
from flows.messages.formats import TooLarge, Unreadable

MAX_CODINGS = 4
"""Codings of one body. One is usual; each may unpack as many bytes as the limit allows."""
MAX_STREAMS = 1024
"""Streams of one body, one after the other. Tools that pack in blocks start one for each 64 KiB or
more, so these are 64 MiB; and a body of only empty streams is cheap to refuse."""
MAX_STREAMS_OF_BLOCKS = 64
"""The same, for codings that need some MiB for each stream of any size."""
MAX_MEMORY = 128 * 1024**2
"""Bytes of memory for `xz`: its highest preset needs 65 MiB, but a body may request GiBs."""
CHUNK_BYTES = 65536
"""Bytes per call of zlib: at the end of a stream, it copies the rest of the input of that call."""


def unpack(body: bytes, codings: tuple[str, ...], most: int) -> bytes:
    """Undo all codings, the last one first (RFC 9110, section 8.4).

    Raises:
        Unreadable: the body is not packed like this, is cut off, or has more bytes after its end;
            or `TooLarge`: it unpacks to more than `most` bytes.
    """
    for coding in reversed(codings):
        body = _unpack(body, _coding(coding), most)
    return body


def pack(body: bytes, codings: tuple[str, ...]) -> bytes:
    """Apply all codings, in order; `unpack` undoes it."""
    for coding in codings:
        body = _coding(coding).pack(body)
    return body


@lru_cache(1024)
def codings(content_encoding: str | None, compression: str | None = None) -> tuple[str, ...]:
    """Return the codings of a body, in the order of their application; mostly none.

    `compression`: the header of that name, which is applied last. Other senders may use it with
    another meaning: a value that kombu does not use is ignored.

    Raises:
        Unreadable: a coding is unknown, or there are too many.
    """
    done = tuple(_ALIASES.get(name, name) for name in _names(content_encoding))
    done = tuple(name for name in done if codec_of(name) is None)
    for coding in done:
        if coding not in _KNOWN:
            raise Unreadable(
                f"content_encoding {content_encoding!r:.100}: known are {', '.join(_KNOWN)}"
            )
    if len(done) > MAX_CODINGS:
        raise Unreadable(
            f"content_encoding {content_encoding!r:.100}: at most {MAX_CODINGS} of them are undone"
        )
    last = _KOMBU.get(compression.strip().lower()) if compression else None
    if last == "brotli":
        raise Unreadable(f"compression {compression!r:.100}: {KNOWN_OF_KOMBU}")
    return done if last is None else (*done, last)


@lru_cache(1024)
def charset_in(content_encoding: str | None) -> str | None:
    """Return the codec of a charset that some senders put here; `None`: there is none."""
    return next(filter(None, map(codec_of, reversed(_names(content_encoding)))), None)


def is_obeyed(compression: str) -> bool:
    """Return whether a value of the header `compression` is known, or means none."""
    name = compression.strip().lower()
    return name in _KOMBU or name in NO_CHARSETS


def recognise(body: bytes) -> str | None:
    """Return the coding that the first bytes of a body show; `None`: the body may be text."""
    return next((name for start, name in _STARTS.items() if body.startswith(start)), None)


def _names(content_encoding: str | None) -> list[str]:
    # Spring puts a colon where others put a comma.
    names = [name.strip() for name in re.split("[,:]", (content_encoding or "").lower())]
    return [name for name in names if name not in NO_CHARSETS]


class _Stream(Protocol):
    """One packed stream, which may end within its input."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """Input after the end of the stream."""

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """Unpack the data, up to `max_length` bytes."""


class _Coding(NamedTuple):
    name: str
    start: Callable[[bytes], _Stream]
    """Returns a new stream for a body."""
    pack: Callable[[bytes], bytes]
    broken: type[Exception]
    """The error that a stream raises for broken input."""
    max_streams: int = MAX_STREAMS


@lru_cache
def _coding(name: str) -> _Coding:
    if name == "gzip":
        return _Coding(
            name, lambda _: zlib.decompressobj(_GZIP), partial(gzip.compress, mtime=0), zlib.error
        )
    if name == "deflate":
        return _Coding(name, _start_deflate, zlib.compress, zlib.error, max_streams=1)
    if name == _GZIP_OF_KOMBU:
        return _Coding(name, lambda _: zlib.decompressobj(_GZIP_OR_ZLIB), zlib.compress, zlib.error)
    # Import these only when a body needs them.
    if name == "bzip2":
        import bz2  # noqa: PLC0415

        return _Coding(
            name, lambda _: bz2.BZ2Decompressor(), bz2.compress, OSError, MAX_STREAMS_OF_BLOCKS
        )
    if name == "xz":
        import lzma  # noqa: PLC0415

        start = partial(lzma.LZMADecompressor, lzma.FORMAT_AUTO, MAX_MEMORY)
        return _Coding(
            name, lambda _: start(), lzma.compress, lzma.LZMAError, MAX_STREAMS_OF_BLOCKS
        )
    from backports import zstd  # noqa: PLC0415

    return _Coding(name, lambda _: zstd.ZstdDecompressor(), zstd.compress, zstd.ZstdError)


def _start_deflate(body: bytes) -> _Stream:
    """Expect zlib's header, as in the standard, or none, as from some senders (RFC 9110, 8.4.1).

    The two bytes of the header are a multiple of 31 (RFC 1950, section 2.2); without a header, no
    encoder begins with two such bytes.
    """
    has_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _unpack(body: bytes, coding: _Coding, most: int) -> bytes:
    view, position = memoryview(body), 0
    unpacked: list[bytes] = []
    for _ in range(coding.max_streams):
        stream = coding.start(body)
        while not stream.eof:
            chunk = view[position : position + CHUNK_BYTES]
            if not chunk:
                raise Unreadable(f"not {coding.name}: cut off")
            position += len(chunk)
            try:
                unpacked.append(stream.decompress(chunk, most + 1))
            except coding.broken as error:
                raise Unreadable(f"not {coding.name}: {error}") from None
            most -= len(unpacked[-1])
            if most < 0:
                raise TooLarge("unpacks to more than max_message")
        position -= len(stream.unused_data)
        if position == len(body):
            return b"".join(unpacked)
    raise Unreadable(f"not {coding.name}: more bytes follow the end")


_GZIP = 16 + zlib.MAX_WBITS
"""The `wbits` of zlib for gzip's header."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_GZIP_OF_KOMBU = "gzip or zlib"
_KNOWN = ("gzip", "deflate", "zstd")
_ALIASES = {"x-gzip": "gzip", "zlib": "deflate"}
_KOMBU = {
    # kombu uses this name for the output of zlib.
    **dict.fromkeys(("application/x-gzip", "application/gzip", "gzip", "zlib"), _GZIP_OF_KOMBU),
    **dict.fromkeys(("application/x-bz2", "bzip2", "bzip", "bz2"), "bzip2"),
    **dict.fromkeys(("application/x-lzma", "application/x-xz", "lzma", "xz"), "xz"),
    **dict.fromkeys(("application/zstd", "application/x-zstd", "zstd", "zstandard"), "zstd"),
    **dict.fromkeys(("application/x-brotli", "brotli"), "brotli"),
}
KNOWN_OF_KOMBU = (
    "known are application/x-gzip, application/x-bz2, application/x-lzma and application/zstd"
)
_STARTS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"x\x01": "deflate",
    b"x\x5e": "deflate",
    b"x\x9c": "deflate",
    b"x\xda": "deflate",
}
"""First bytes by RFC 1952, 8878 and 1950; those of deflate depend on the level of zlib."""
