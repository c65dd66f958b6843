"""Regular expressions in conditions, by RE2: the only place that knows its package.

RE2 takes a time that grows with the text alone. Python's own expressions may take years for thirty
characters, and a message must not be able to stop the job.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flows.values.group import ABSENT


def matches(text: str, pattern: str) -> bool:
    """Whether it occurs in the text.

    Raises:
        ValueError: it is not a valid regular expression, or the text is not valid Unicode.
    """
    if len(text) <= _MAX_TEXT_KEPT:
        return _matches_again(text, pattern)
    return compile(pattern).search(text) is not None


@lru_cache(1024)
def _matches_again(text: str, pattern: str) -> bool:
    """Many messages share a short text: 0.3 µs where a search costs 10 µs."""
    return compile(pattern).search(text) is not None


@lru_cache(256)
def compile(pattern: str) -> Any:
    """Read a regular expression.

    Raises:
        ValueError: it is none.
    """
    import re2  # noqa: PLC0415  # few conditions need it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise ValueError(f"{pattern!r:.50} is not a valid regex: {reason}") from None


def check(pattern: Any) -> None:
    """Look at load whether there is RE2, and whether it takes the pattern; `ABSENT`: not known yet.

    Raises:
        ValueError: one of both is not so.
    """
    try:
        compile("" if pattern is ABSENT else pattern)
    except ImportError:
        raise ValueError(
            "matches needs RE2: run pip install google-re2, or write contains, startsWith and"
            " endsWith, or a function of your own"
        ) from None


_MAX_TEXT_KEPT = 100
"""In characters."""
