"""The numbered messages of a run, and the expected outcome of each, by its number alone.

Pure.
"""

from __future__ import annotations

from zlib import crc32

KEYS = 300
UNREADABLE, UNFIT, FAILING = range(0, 5), range(5, 10), range(10, 30)
"""Of a thousand messages."""
DOOMED = "doomed"
"""A field at which an ingest processor fails during a fault."""
LARGE_BYTES = 400_000
"""More than Elasticsearch accepts in one request."""


class MessageMaker:
    """Makes numbered messages; those of the same seed are the same, except for the time."""

    def __init__(self, seed: int, keyed: bool, reduced: bool) -> None:
        """`keyed`: messages have a key, or lack it; `reduced`: documents fit any mapping."""
        self._seed, self._keyed, self._reduced = seed, keyed, reduced
        self._large: set[int] = set()
        self._marked: set[int] = set()

    def make_large(self, number: int) -> None:
        """Make this message larger than a request may be."""
        self._large.add(number)

    def mark(self, number: int) -> None:
        """Let a proxy before Elasticsearch refuse each request with this message."""
        self._marked.add(number)

    def body(self, number: int, at: int) -> bytes:
        """The body of a number; `at` in milliseconds since 1970."""
        dice = self._dice(number)
        if dice % 1000 in UNREADABLE:
            return b'%d {"n":' % number
        n, key = b"%d" % number, b'"key":"k%d",' % (dice // 1000 % KEYS)
        if dice % 1000 in UNFIT:
            if self._keyed:
                key = b""
            else:
                n = b'"number %d"' % number
        doomed = b'"doomed":"x",' if dice % 1000 in FAILING else b""
        pad = b"." * (LARGE_BYTES if number in self._large else dice // 7 % 200)
        if number in self._marked:
            pad += MARK
        parts = (n, key, doomed, amount(number), at, pad)
        return b'{"n":%b,%b%b"amount":%d,"at":%d,"pad":"%b"}' % parts

    def rejected(self, number: int) -> tuple[str, ...]:
        """How the reason of a message that must not be stored begins; otherwise nothing."""
        dice = self._dice(number) % 1000
        if dice in UNREADABLE:
            return ("unreadable: ",)
        if dice in UNFIT and self._keyed:
            return ("missing_key: ",)
        if number in self._marked and not self._reduced:
            # If it is too large as well, either reason is correct.
            return ("refused: ", *(TOO_LARGE if number in self._large else ()))
        if dice in UNFIT:
            # If it is too large as well, either reason is correct.
            return ("document_parsing_exception", *TOO_LARGE)
        return TOO_LARGE if number in self._large and not self._reduced else ()

    def may_fail(self, number: int) -> bool:
        """Whether an ingest processor may fail at this message."""
        return self._dice(number) % 1000 in FAILING

    def _dice(self, number: int) -> int:
        return crc32(b"%d %d" % (self._seed, number))


MARK = b"<script>"
"""The text that a proxy before Elasticsearch refuses; no summary contains it."""
TOO_LARGE = ("the request is too large", "too large")


def amount(number: int) -> int:
    """The value that summaries add."""
    return number % 97 + 1
