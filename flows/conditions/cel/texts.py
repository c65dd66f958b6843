"""Functions of texts in conditions: those of CEL and of its strings extension. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.conditions.cel.values import whole


def char_at(text: str, position: float) -> str:
    """Return one character; an empty text directly after the last one."""
    return text[_place(text, position) :][:1]


def index_of(text: str, wanted: str, start: float = 0) -> int:
    """Return the start of the first occurrence at `start` or after; -1: none."""
    return text.find(wanted, _place(text, start))


def last_index_of(text: str, wanted: str, start: float | None = None) -> int:
    """Return the start of the last occurrence at `start` or before; -1: none."""
    if start is None:
        return text.rfind(wanted)
    return text.rfind(wanted, 0, _place(text, start) + len(wanted))


def substring(text: str, start: float, end: float | None = None) -> str:
    """Return the characters from `start` up to, but not including, `end`."""
    first = _place(text, start)
    last = len(text) if end is None else _place(text, end)
    if first > last:
        raise ValueError(f"{first} is behind {last}")
    return text[first:last]


def replace(text: str, old: str, new: str, limit: float = -1) -> str:
    """Return the text with the first `limit` occurrences replaced; all if `limit` is negative."""
    most = whole(limit)
    found = text.count(old) if most < 0 else min(most, text.count(old))
    _check_length(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, found)


def split(text: str, separator: str, limit: float = -1) -> list[str]:
    """Return the texts between separators; an empty separator splits off each character."""
    most = whole(limit)
    if most == 0:
        return []
    if separator:
        return text.split(separator, -1 if most < 0 else most - 1)
    if 0 < most < len(text):
        return [*text[: most - 1], text[most - 1 :]]
    return [*text] or [""]


def join(items: Sequence[Any], separator: str = "") -> str:
    """Return the texts joined, with the separator between them."""
    if any(item.__class__ is not str for item in items):
        raise ValueError("join takes a list of texts")
    _check_length(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def lower_ascii(text: str) -> str:
    """Return the text with A to Z in lower case; other characters stay."""
    return text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """Return the text with a to z in upper case; other characters stay."""
    return text.translate(_UPPER)


def trim(text: str) -> str:
    """Return the text without leading and trailing white space, as Unicode defines it."""
    return text.strip(_WHITE)


def reverse(text: str) -> str:
    """Return the characters in reverse order."""
    return text[::-1]


def _place(text: str, position: float) -> int:
    place = whole(position)
    if not 0 <= place <= len(text):
        raise ValueError(f"{place} is beyond a text of {len(text)} characters")
    return place


def _check_length(length: int) -> None:
    """Refuse long texts: a message must not exhaust the memory."""
    if length > _MAX_CHARACTERS:
        raise ValueError(f"a text has at most {_MAX_CHARACTERS} characters")


_MAX_CHARACTERS = 2**24
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_WHITE = "".join(
    map(
        chr,
        (
            *(*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)),
            *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
        ),
    )
)
"""The characters with Unicode's property White_Space."""
