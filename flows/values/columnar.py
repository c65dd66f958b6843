"""How members cross from one process to another: in columns, no object for each of them.

Bytewax pickles an item by itself. Member by member that costs three times as much as in columns,
of which one of a single value is told once (`bench/`).
"""

from __future__ import annotations

from itertools import repeat
from operator import is_
from typing import Any

from msgspec.structs import astuple

from connectors.message import Message, Origin
from flows.values.group import Member

Column = list[Any] | tuple[Any]
"""A list of values, one for each member; or a tuple of the one that all have. A type of its own
would be clearer, and cost as much as the values: it is pickled by its name, each time."""


class Members(list[Member]):
    """Members of one origin, in order, of at least one message."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the columns."""
        origins, messages, documents, *columns = zip(*map(astuple, self), strict=True)
        of_messages = [*zip(*map(astuple, messages), strict=True)]
        if all(map(is_, documents, of_messages[_BODY])):
            documents = (None,) * len(self)  # a document that is the body itself crosses once
        return _members, (
            len(self),
            origins[0],
            [_column(column) for column in of_messages],
            [_column(column) for column in (documents, *columns)],
        )


def _column(values: tuple[Any, ...]) -> Column:
    first, last = values[0], values[-1]
    # What is compared must be cheap, and of one type in a column: 1, 1.0 and True are equal. Where
    # values differ, the first and the last one do, as a rule: then the others need not be compared.
    if first.__class__ in _TOLD_ONCE and first == last and values.count(first) == len(values):
        return (first,)
    return [*values]


def _members(count: int, origin: Origin, message: list[Column], member: list[Column]) -> Members:
    messages = [*_rows(count, Message, message)]
    if member[0] == (None,):
        member = [[message.body for message in messages], *member[1:]]
    return Members(_rows(count, Member, [(origin,), messages, *member]))


def _rows(count: int, kind: Any, columns: list[Column]) -> Any:
    values = [repeat(c[0], count) if isinstance(c, tuple) else c for c in columns]
    return map(kind, *values)


_BODY = Message.__struct_fields__.index("body")
_TOLD_ONCE = (type(None), bool, int, bytes, str)
