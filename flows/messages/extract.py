"""Makes members: what the aggregator wants to know of a message, while its document is at hand.

Pure. It keeps no state and gathers nothing: what is found travels with the member to its shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from connectors.message import Message, Origin, Properties, Rejection
from connectors.times import read_time
from flows.conditions.conditions import Condition
from flows.conditions.user_functions import Failed
from flows.messages.keys import Keys
from flows.values.group import ABSENT, ALONE, FIRST, LAST, Member
from flows.values.paths import Path, fields_of, reader

Address = tuple[str | None, str | None]
"""Index and `_id`: see `Member`."""


class ExtractionSpec(NamedTuple):
    """What is asked of each message."""

    queue: str
    """That the messages come from."""
    by: str = ""
    """As the spec has it."""
    keys: Keys | None = None
    alone: bool = False
    """A message without a key goes by itself; else it is rejected."""
    first: Condition | None = None
    last: Condition | None = None
    size: Path | None = None
    event_time: Path | None = None
    values: Sequence[Path] = ()
    """What `until`, `order` and `reduce` look at."""
    names: bool = True
    """Whether it matters what the message is called."""


class _More(NamedTuple):
    """What only some streams want to know."""

    marks: int
    size: int | None
    at: float | None


class Extractor:
    """A look at one message after the other."""

    def __init__(self, asked: ExtractionSpec) -> None:
        self._asked, self._queue, self._names = asked, asked.queue, asked.names
        self.fields = fields_of(_paths(asked))
        """The fields of a document that it looks at; `None`: any."""
        self._key = None if asked.keys is None else asked.keys.key
        self._values = reader(asked.values) if asked.values else None
        self._tests = [
            (mark, reader(condition.paths), condition)
            for mark, condition in ((FIRST, asked.first), (LAST, asked.last))
            if condition is not None
        ]
        self._size = asked.size and asked.size.getter()
        self._event_time = asked.event_time and asked.event_time.getter()
        self._asks_more = bool(self._tests or self._size or self._event_time)
        """More than key and values, which are all that most streams want."""

    @property
    def keyed(self) -> bool:
        """Messages have keys."""
        return self._key is not None

    def key(self, document: dict[str, Any], properties: Properties) -> object:
        """The key of a message, a `str`; or `ABSENT`."""
        assert self._key is not None
        return self._key(document, properties, self._queue)

    def member(
        self,
        origin: Origin,
        message: Message,
        source: bytes,
        address: Address,
        document: dict[str, Any],
        properties: Properties,
    ) -> Member | Rejection:
        """Find everything that is asked, or why the message can be in no group.

        `source` is what is stored, `document` its fields. This is done for each message, so it is
        written at length: nothing is packed and unpacked, and what is not asked costs nothing.
        """
        queue = self._queue
        key, marks, size, at = None, 0, None, None
        if self._key is not None:
            key = self._key(document, properties, queue)
            if key is ABSENT:
                if not self._asked.alone:
                    return Rejection(f"missing_key: nothing in {self._asked.by}")
                key, marks = None, ALONE
        if self._asks_more:
            more = self._more(document, properties)
            if isinstance(more, Rejection):
                return more
            marks, size, at = marks | more.marks, more.size, more.at
        name = (properties.message_id or None) if self._names else None
        values = () if self._values is None else self._values(document, properties, queue)
        index, id = address
        return Member(origin, message, source, index, id, key, name, marks, size, at, values)

    def _more(self, document: dict[str, Any], properties: Properties) -> _More | Rejection:
        """Marks, size and time; or why the message can be in no group."""
        asked, queue = self._asked, self._asked.queue
        marks, size, at = 0, None, None
        for mark, values, condition in self._tests:
            try:
                if condition.test(values(document, properties, queue), None):
                    marks |= mark
            except Failed as error:
                return Rejection(f"condition_failed: {error}")
        if asked.size is not None and self._size is not None:
            size = size_of(self._size(document, properties, queue))
            if size == 0:
                return Rejection(f"bad_value: no positive number in {asked.size.text}")
        if asked.event_time is not None and self._event_time is not None:
            at = read_time(self._event_time(document, properties, queue))
            if at is None:
                return Rejection(f"missing_time: no time in {asked.event_time.text}")
        return _More(marks, size, at)


def _paths(asked: ExtractionSpec) -> Iterator[Path]:
    """Everything that is looked at."""
    yield from asked.keys.paths if asked.keys else ()
    for condition in (asked.first, asked.last):
        yield from condition.paths if condition else ()
    yield from (path for path in (asked.size, asked.event_time) if path is not None)
    yield from asked.values


def size_of(value: object) -> int | None:
    """How many a message says there will be: a whole number above zero, or the text of one.

    `None`: it says nothing; 0: what it says is not such a number.
    """
    if value is ABSENT or value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value is not True and value > 0 else 0


_DIGITS = 18
"""More than any group will ever have; Python refuses to read texts of thousands."""
