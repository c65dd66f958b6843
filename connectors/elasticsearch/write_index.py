"""Decides to which index or data stream an alias writes.

Pure; it asks nothing.
"""

from __future__ import annotations

import msgspec


class AliasMembers(msgspec.Struct, frozen=True):
    """The indices or data streams of an alias."""

    all: list[str]
    writable: str | None
    """Where documents go; `None`: Elasticsearch refuses every document."""


class _AliasOptions(msgspec.Struct):
    is_write_index: bool | None = None


class _Member(msgspec.Struct):
    aliases: dict[str, _AliasOptions]


_answer = msgspec.json.Decoder(dict[str, _Member])


def members(alias: str, answer: bytes) -> AliasMembers | None:
    """Read the answer of `GET /_alias/…`; `None`: it does not tell."""
    try:
        found = _answer.decode(answer)
    except ValueError:
        return None
    named = {name: one.aliases[alias] for name, one in found.items() if alias in one.aliases}
    marks = {name: options.is_write_index for name, options in named.items()}
    marked = [name for name, mark in marks.items() if mark]
    if not marked and len(marks) == 1:  # alone, it is the write index unless it says no
        marked = [name for name, mark in marks.items() if mark is None]
    return AliasMembers(sorted(marks), marked[0] if marked else None) if marks else None
