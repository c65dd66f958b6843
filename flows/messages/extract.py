"""Extracts the values of a message that `aggregate` needs, while its document is decoded.

Pure, and without state: the values travel with the member to its shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from connectors.message import Message, Origin, Properties, Rejection
from connectors.reject_kind import quoted
from connectors.times import AS_TIMES_ARE, read_time
from flows.conditions.conditions import Condition, condition
from flows.conditions.user_functions import Failed
from flows.config.aggregate import AggregateSpec
from flows.messages.keys import Keys, make_distinct, make_keys
from flows.values.group import ABSENT, ALONE, DISTINCT, FIRST, LAST, FullMember, Member
from flows.values.paths import Path, fields_of, parse, reader

Address = tuple[str | None, str | None]
"""Index and `_id`: see `Member`."""


class ExtractionSpec(NamedTuple):
    """The values to extract from each message."""

    queue: str
    """The queue of the messages."""
    by: str = ""
    """The key `by` of the spec, for reasons."""
    keys: Keys | None = None
    alone: bool = False
    """A message without a key is a group by itself; else it is rejected."""
    first: Condition | None = None
    last: Condition | None = None
    size: Path | None = None
    event_time: Path | None = None
    values: Sequence[Path] = ()
    """The paths that `until`, `order` and `reduce` read."""
    distinct: Keys | None = None
    names: bool = True
    """Whether the message's own id is needed."""
    offset: Callable[[Properties], int | None] | None = None
    """Returns the offset of a message in its stream; `None`: it is not needed."""

    @property
    def asks(self) -> bool:
        """Whether there is anything to extract."""
        return any(self[2:])


def make_extraction_spec(
    spec: AggregateSpec,
    queue: str,
    values: Sequence[Path],
    offset: Callable[[Properties], int | None] | None = None,
) -> ExtractionSpec:
    """Translate a spec; `values`: the paths whose values travel with each member.

    `offset`: if a state recognises messages by their offsets, see `ExtractionSpec`.
    """
    window, tumbling = spec.window, spec.window.tumbling
    return ExtractionSpec(
        queue,
        by=_missing_text(spec.by),
        keys=make_keys(spec),
        alone=spec.missing_key == "alone",
        first=condition(window.first, allow_group=False) if window.first else None,
        last=condition(window.last, allow_group=False) if window.last else None,
        size=_path(window.size),
        event_time=_path(tumbling.event_time if tumbling else window.event_time),
        values=values,
        distinct=make_distinct(spec),
        names=spec.recognises and offset is None,
        offset=offset,
    )


def _path(text: str | None) -> Path | None:
    return parse(text) if text else None


def _missing_text(by: str | Sequence[str] | None) -> str:
    """Return what a message without a key lacks, for the reason."""
    if by is None or isinstance(by, str):
        return by or ""
    return by[0] if len(by) == 1 else f"one of {', '.join(by)}"


class _More(NamedTuple):
    """Values that only some specs need."""

    marks: int
    size: int | None
    at: float | None


class Extractor:
    """Extracts the values of a `Member` from a message and its document."""

    def __init__(self, spec: ExtractionSpec) -> None:
        self._spec, self._queue, self._names = spec, spec.queue, spec.names
        self._offset = spec.offset
        self.fields = fields_of(_paths(spec))
        """The fields of a document that it reads; `None`: all."""
        self._key = None if spec.keys is None else spec.keys.key
        self._values = reader(spec.values) if spec.values else None
        self._distinct = None if spec.distinct is None else spec.distinct.key
        self._tests = [
            (mark, reader(condition.paths), condition)
            for mark, condition in ((FIRST, spec.first), (LAST, spec.last))
            if condition is not None
        ]
        self._size = spec.size and spec.size.getter()
        self._event_time = spec.event_time and spec.event_time.getter()
        self._asks_more = bool(self._tests or self._size or self._event_time)
        """Most specs need only the key and the values."""

    @property
    def names_messages(self) -> bool:
        """All documents of a split message have the same distinct value."""
        distinct = self._spec.distinct
        return distinct is not None and all(path.root != "document" for path in distinct.paths)

    @property
    def keyed(self) -> bool:
        """Messages have keys."""
        return self._key is not None

    def key(self, document: dict[str, Any], properties: Properties) -> object:
        """Return the key of a message, a `str`; or `ABSENT`."""
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
        """Extract everything that the spec names, or return why no group can have the message.

        `source`: the bytes to store, `document`: its fields. This runs for each message, so it
        avoids tuples, and skips everything that the spec omits.
        """
        queue = self._queue
        key, marks, size, at = None, 0, None, None
        if self._key is not None:
            key = self._key(document, properties, queue)
            if key is ABSENT:
                if not self._spec.alone:
                    return Rejection(f"missing_key: nothing in {self._spec.by}")
                key, marks = None, ALONE
        if self._asks_more:
            more = self._more(document, properties)
            if isinstance(more, Rejection):
                return more
            marks, size, at = marks | more.marks, more.size, more.at
        name = (properties.message_id or None) if self._names else None
        own = None
        if self._distinct is not None:
            value, name = self._distinct(document, properties, queue), _escaped(name)
            if value is not ABSENT:
                own = name
                name, marks = f"={value}" if key is None else f"={value}={key}", marks | DISTINCT
        values = () if self._values is None else self._values(document, properties, queue)
        index, id = address
        found = FullMember(origin, message, source, index, id, key, name, marks, size, at, values)
        if own is None and self._offset is None:
            return found
        return replace(found, own_id=own, offset=self._offset and self._offset(properties))

    def _more(self, document: dict[str, Any], properties: Properties) -> _More | Rejection:
        """Return marks, size and time; or why no group can have the message."""
        spec, queue = self._spec, self._spec.queue
        marks, size, at = 0, None, None
        for mark, values, marked_by in self._tests:
            try:
                if marked_by.test(values(document, properties, queue), None):
                    marks |= mark
            except Failed as error:
                return Rejection(f"condition_failed: {error}")
        if spec.size is not None and self._size is not None:
            value = self._size(document, properties, queue)
            size = size_of(value)
            if size == 0:
                reason = f"no positive number in {spec.size.text}: {quoted(value)}"
                return Rejection(f"bad_value: {reason}")
        if spec.event_time is not None and self._event_time is not None:
            value = self._event_time(document, properties, queue)
            at = read_time(value)
            if at is None:
                return _without_time(spec.event_time, value)
        return _More(marks, size, at)


def _without_time(path: Path, value: object) -> Rejection:
    if value is ABSENT or value is None:
        return Rejection(f"missing_time: no time in {path.text}")
    return Rejection(f"bad_value: no time in {path.text}, {AS_TIMES_ARE}: {quoted(value)}")


def _paths(spec: ExtractionSpec) -> Iterator[Path]:
    """Return all paths that are read."""
    yield from spec.keys.paths if spec.keys else ()
    for marked_by in (spec.first, spec.last):
        yield from marked_by.paths if marked_by else ()
    yield from (path for path in (spec.size, spec.event_time) if path is not None)
    yield from spec.values
    yield from spec.distinct.paths if spec.distinct else ()


def _escaped(name: str | None) -> str | None:
    """Return a `message_id` as a name that no distinct value has: JSON begins with no `=`."""
    return f"={name}" if name is not None and name.startswith("=") else name


def size_of(value: object) -> int | None:
    """Return the group size that a message names: a positive whole number, or the text of one.

    `None`: the message names none; 0: the value is not such a number.
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
"""More than any group has; Python refuses to parse thousands of digits."""
