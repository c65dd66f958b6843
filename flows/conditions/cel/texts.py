"""Functions of texts in conditions: CEL's own, and those of its strings extension. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.conditions.cel.values import whole


def char_at(text: str, position: float) -> str:
    """One character; right behind the last one it is an empty text."""
    return text[_place(text, position) :][:1]


def index_of(text: str, wanted: str, start: float = 0) -> int:
    """Where the first occurrence begins; -1: there is none."""
    return text.find(wanted, _place(text, start))


def last_index_of(text: str, wanted: str, start: float | None = None) -> int:
    """Where the last occurrence begins, at `start` or before; -1: there is none."""
    if start is None:
        return text.rfind(wanted)
    return text.rfind(wanted, 0, _place(text, start) + len(wanted))


def substring(text: str, start: float, end: float | None = None) -> str:
    """From a position up to another one, which is not in it."""
    first = _place(text, start)
    last = len(text) if end is None else _place(text, end)
    if first > last:
        raise ValueError(f"{first} is behind {last}")
    return text[first:last]


def replace(text: str, old: str, new: str, limit: float = -1) -> str:
    """With a text in place of another, everywhere or so many times."""
    most = whole(limit)
    found = text.count(old) if most < 0 else min(most, text.count(old))
    _check_length(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, found)


def split(text: str, separator: str, limit: float = -1) -> list[str]:
    """The pieces between separators, or all characters where that is empty."""
    most = whole(limit)
    if most == 0:
        return []
    if separator:
        return text.split(separator, -1 if most < 0 else most - 1)
    if 0 < most < len(text):
        return [*text[: most - 1], text[most - 1 :]]
    return [*text] or [""]


def join(items: Sequence[Any], separator: str = "") -> str:
    """Texts, one behind the other."""
    if any(item.__class__ is not str for item in items):
        raise ValueError("only texts are joined")
    _check_length(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def lower_ascii(text: str) -> str:
    """With small letters for A to Z; all others stay."""
    return text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """With capital letters for a to z; all others stay."""
    return text.translate(_UPPER)


def trim(text: str) -> str:
    """Without white space at its ends, as Unicode defines it."""
    return text.strip(_WHITE)


def reverse(text: str) -> str:
    """The last character first."""
    return text[::-1]


def _place(text: str, position: float) -> int:
    place = whole(position)
    if not 0 <= place <= len(text):
        raise ValueError(f"{place} is beyond a text of {len(text)} characters")
    return place


def _check_length(length: int) -> None:
    """A message must not be able to use up all memory."""
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
