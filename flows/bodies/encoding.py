"""Undoes a message's `content_encoding`, and does it again for a message that is made anew.

Pure. What is unpacked never gets larger than it may: a small body that would unpack to gigabytes is
refused as soon as it has unpacked to one byte too many.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

from typing_extensions import Buffer

from flows.bodies.formats import Unreadable

CODINGS_MOST = 4
"""Of one body: each may cost the unpacking of as much as is allowed, and one is usual."""
STREAMS_MOST = 1024
"""Of one body, end to end. Tools that pack in blocks start one for each 64 KiB or more, so these
are 64 MiB; and a body of nothing but empty ones is cheap to refuse."""
CHUNK_BYTES = 65536
"""What follows a stream is copied when the stream ends: so much of it at most."""


def unpack(body: bytes, content_encoding: str | None, most: int) -> bytes:
    """Undo all codings, the last one first (RFC 9110, section 8.4).

    Raises:
        Unreadable: a coding is not known, the body is not packed so, is cut off or has something
            behind its end, or would have more than `most` bytes.
    """
    for coding in reversed(codings(content_encoding)):
        body = _unpack(body, _coding(coding), most)
    return body


def pack(body: bytes, content_encoding: str | None) -> bytes:
    """What `unpack` undoes."""
    for coding in codings(content_encoding):
        body = _coding(coding).pack(body)
    return body


@lru_cache(1024)
def codings(content_encoding: str | None) -> tuple[str, ...]:
    """What has been done to a body, in order; mostly nothing.

    Raises:
        Unreadable: a coding is not known, or there are too many.
    """
    # Spring puts a colon where others put a comma.
    names = [name.strip() for name in re.split("[,:]", (content_encoding or "").lower())]
    done = tuple(_ALIASES.get(name, name) for name in names if name not in _NO_CODING)
    for coding in done:
        if coding not in _KNOWN:
            raise Unreadable(
                f"content_encoding {content_encoding!r:.100}: known are {', '.join(_KNOWN)}"
            )
    if len(done) > CODINGS_MOST:
        raise Unreadable(
            f"content_encoding {content_encoding!r:.100}: at most {CODINGS_MOST} of them are undone"
        )
    return done


class _Stream(Protocol):
    """One packed stream, which ends somewhere in what it is given."""

    @property
    def eof(self) -> bool:
        """The end has come."""

    @property
    def unused_data(self) -> bytes:
        """What was given after the end."""

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """Unpack all of it, or as much as is allowed."""


class _Coding(NamedTuple):
    name: str
    start: Callable[[bytes], _Stream]
    """A stream that fits the body."""
    pack: Callable[[bytes], bytes]
    broken: type[Exception]
    """What a stream raises."""
    streams_most: int = STREAMS_MOST


@lru_cache
def _coding(name: str) -> _Coding:
    if name == "gzip":
        return _Coding(
            name, lambda _: zlib.decompressobj(_GZIP), partial(gzip.compress, mtime=0), zlib.error
        )
    if name == "deflate":
        return _Coding(name, _start_deflate, zlib.compress, zlib.error, streams_most=1)
    from backports import zstd  # noqa: PLC0415  # few need it

    return _Coding(name, lambda _: zstd.ZstdDecompressor(), zstd.compress, zstd.ZstdError)


def _start_deflate(body: bytes) -> _Stream:
    """With zlib's header, as the standard has it, or without, as some senders do (RFC 9110, 8.4.1).

    The two bytes of the header are a multiple of 31 (RFC 1950, section 2.2); no encoder begins
    with such two without a header.
    """
    has_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _unpack(body: bytes, coding: _Coding, most: int) -> bytes:
    view, position = memoryview(body), 0
    unpacked: list[bytes] = []
    for _ in range(coding.streams_most):
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
                raise Unreadable(_TOO_LARGE)
        position -= len(stream.unused_data)
        if position == len(body):
            return b"".join(unpacked)
    raise Unreadable(f"not {coding.name}: something follows the end")


_GZIP = 16 + zlib.MAX_WBITS
"""How zlib is told to expect gzip's header."""
_KNOWN = ("gzip", "deflate", "zstd")
_ALIASES = {"x-gzip": "gzip"}
_NO_CODING = ("", "identity", "utf-8", "utf8", "us-ascii", "ascii", "binary", "8bit")
"""Celery and Spring put the charset here, or that there is none."""
_TOO_LARGE = "unpacks to more than max_message"
