"""Pickles members in columns, to send them from one process to another.

Bytewax pickles each item by itself. Objects for each member cost three times as much as columns; a
column whose values are all equal is pickled as one value (`bench/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter, is_
from typing import Any

from msgspec.structs import astuple

from connectors.message import Message, Origin
from flows.values.group import FullMember, Member

Column = list[Any] | tuple[Any]
"""A list of values, one for each member; or a tuple of the one value that all have. A class would
be clearer, but pickle writes its name each time, which costs as much as the values."""


class Members(list[Member]):
    """Members of one origin, in order, of at least one message."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the columns."""
        kind, rows = self._kind_and_rows()
        origins, messages, documents, *columns = zip(*rows, strict=True)
        of_messages = [*zip(*map(astuple, messages), strict=True)]
        if all(map(is_, documents, of_messages[_BODY])):
            documents = (None,) * len(self)  # each document is its body: pickle the body only
        return _members, (
            kind,
            len(self),
            origins[0],
            [_column(column) for column in of_messages],
            [_column(column) for column in (documents, *columns)],
        )

    def _kind_and_rows(self) -> tuple[type[Member], Iterable[tuple[Any, ...]]]:
        """Return the class to make the members of again, and the values of its fields."""
        kinds = {*map(type, self)}
        if len(kinds) == 1:
            return kinds.pop(), map(astuple, self)
        return FullMember, map(_FULL, self)


def _column(values: tuple[Any, ...]) -> Column:
    first, last = values[0], values[-1]
    # Compare only cheap values of types of which a column has one: 1, 1.0 and True are equal. If
    # values differ, the first and the last mostly differ too, which saves the count.
    if first.__class__ in _COMPARED and first == last and values.count(first) == len(values):
        return (first,)
    return [*values]


def _members(
    kind: type[Member], count: int, origin: Origin, message: list[Column], member: list[Column]
) -> Members:
    messages = [*_rows(count, Message, message)]
    if member[0] == (None,):
        member = [[message.body for message in messages], *member[1:]]
    return Members(_rows(count, kind, [(origin,), messages, *member]))


def _rows(count: int, kind: Any, columns: list[Column]) -> Any:
    values = [repeat(c[0], count) if isinstance(c, tuple) else c for c in columns]
    return map(kind, *values)


_FULL = attrgetter(*FullMember.__struct_fields__)
_BODY = Message.__struct_fields__.index("body")
_COMPARED = (type(None), bool, int, bytes, str)
