"""Checks names of indices, and writes values into them. Pure."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

MAX_NAME_BYTES = 255
TOO_LONG = f"the name of an index has at most {MAX_NAME_BYTES} bytes"


def problem_of_name(name: str) -> str | None:
    """Return why Elasticsearch forbids this name ("Create index" in its API reference)."""
    return TOO_LONG if len(name) > MAX_NAME_BYTES else _problem(name)


@lru_cache(maxsize=1024)  # the messages of a job name few indices
def _problem(name: str) -> str | None:
    if name != name.lower():
        return "the name of an index must be lowercase"
    if any(character in '\\/*?"<>| ,#:' for character in name):
        return r'the name of an index must have no \ / * ? " < > | , # : and no space'
    if not name.isprintable():
        return "the name of an index must have printable characters only"
    if name.startswith(("-", "_", "+")) or name in ("", ".", ".."):
        return "the name of an index must not start with - _ +, and not be . or .."
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
        return TOO_LONG
    return None


def text_of(value: Any) -> str | None:
    """Return a value of a field or a header as text for a name; `None`: it has no such text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (int, float)):
        return repr(value) if isfinite(value) else None
    return value.decode(errors="backslashreplace") or None if isinstance(value, bytes) else None
