"""Names of indices with places in them that each document fills, such as `events-{tenant}`.

Pure. A place is one of

    {tenant} {a.b}            a field of the document: a text or a number
    {header.x} {property.x}   of the message
    {@timestamp:%Y.%m.%d}     a date, in UTC: the document's @timestamp, else the time that the
                              message was sent, else the time that it arrived
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from connectors.message import Properties


class Missing(NamedTuple):
    """A name cannot be told, and why."""

    reason: str


Field = Callable[[Mapping[str, Any], Properties, float], "str | Missing | None"]
"""(document, properties, time of arrival) -> text; `None`: there is none."""


class Place(NamedTuple):
    """A place in a template."""

    name: str
    field: Field


class Template:
    """A name with places in it."""

    def __init__(self, texts: Sequence[str], places: Sequence[Place]) -> None:
        """`texts` and `places` in turn; there is one text more."""
        self.texts, self.places = texts, places
        self._fields = [place.field for place in places]
        # The documents of a job go to few indices.
        self._fill = lru_cache(maxsize=1024)(self._filled)

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a document that places are filled by."""
        names = [place.name.partition(":")[0] for place in self.places]
        of_document = [name for name in names if not name.startswith(_OF_MESSAGE)]
        return frozenset[str]().union(*map(fields_at, of_document))

    @property
    def needs_properties(self) -> bool:
        """Some place is filled by the message's properties."""
        return any(place.name.startswith((*_OF_MESSAGE, "@timestamp")) for place in self.places)

    def render(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Missing:
        """The name of a document's index: one that Elasticsearch allows.

        It has the template's texts in it, and no field begins with what is special at the
        beginning of a name. So whoever sends documents, and writes their fields, cannot reach an
        index that the template does not mean.
        """
        return self._fill(*[field(document, properties, now) for field in self._fields])

    def _filled(self, *values: str | Missing | None) -> str | Missing:
        name = self.texts[0]
        for place, value, text in zip(self.places, values, self.texts[1:], strict=True):
            if isinstance(value, Missing):
                return value
            if value is None:
                return Missing(f"nothing that names an index in {place.name}")
            if value.startswith(_SPECIAL):
                return Missing(f"{value!r:.300} in {place.name} begins with one of . - _ +")
            name += value + text
        problem = problem_of_name(name)
        return name if problem is None else Missing(f"{name!r:.300} names no index: {problem}")


def parse_template(text: str) -> Template:
    """Read a name of an index, with or without places in it.

    Raises:
        ValueError: it can never name an index; the text says what helps.
    """
    pieces = re.split(r"\{([^{}]*)\}", text)
    texts, inner = pieces[0::2], pieces[1::2]
    if any("{" in text or "}" in text for text in texts):
        raise ValueError("every { of a template needs its }: write events-{tenant}")
    places = [_parse_place(place) for place in inner]
    sample = texts[0]
    for place, after in zip(places, texts[1:], strict=True):
        value = place.field({}, Properties(), 0.0) if place.name.startswith("@timestamp:") else "x"
        sample += f"{value}{after}"
    problem = problem_of_name(sample)
    if problem is not None:
        raise ValueError(problem)
    return Template(texts, places)


def problem_of_name(name: str) -> str | None:
    """Why Elasticsearch allows no index of that name ("Create index" in its API reference)."""
    return _TOO_LONG if len(name) > _NAME_BYTES_MAX else _problem(name)


@lru_cache(maxsize=1024)  # Bodies that name indices name few of them.
def _problem(name: str) -> str | None:
    if name != name.lower():
        return "the name of an index is in lowercase"
    if any(character in '\\/*?"<>| ,#:' for character in name):
        return r'the name of an index has no \ / * ? " < > | , # : and no space in it'
    if not name.isprintable():
        return "the name of an index has only characters in it that can be seen"
    if name.startswith(("-", "_", "+")) or name in ("", ".", ".."):
        return "the name of an index does not start with - _ +, and is not . or .."
    if len(name.encode(errors="replace")) > _NAME_BYTES_MAX:
        return _TOO_LONG
    return None


def lookup(document: Mapping[str, Any], path: str) -> str | None:
    """The text or number at a dotted path, as text; `None`: there is none, or an empty one.

    As in Elasticsearch, `{"a": {"b": 1}}` and `{"a.b": 1}` both have an `a.b`.
    """
    value: Any = document
    for name in path.split("."):
        # Objects are dicts as they were decoded; to ask for any Mapping takes six times as long.
        value = value.get(name) if isinstance(value, dict) else None
    return _text(document.get(path) if value is None else value)


def fields_at(path: str) -> frozenset[str]:
    """The fields of the document itself that `lookup` needs to follow a path."""
    return frozenset((path, path.partition(".")[0]))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    return None


def _parse_place(place: str) -> Place:
    name, colon, dates = place.partition(":")
    if name == "@timestamp":
        return Place(place, _date(dates))
    if colon:
        raise ValueError(f"only @timestamp takes a format: write {{{name}}}")
    if name == "" or "" in name.split("."):
        raise ValueError("a template names fields as in {tenant} or {a.b}")
    kind, _, rest = name.partition(".")
    if kind == "header" and rest:
        return Place(
            name, lambda _, properties, __: _brief(_text((properties.headers or {}).get(rest)))
        )
    if kind == "property" and rest:
        if rest not in Properties._fields or rest == "headers":
            known = ", ".join(field for field in Properties._fields if field != "headers")
            raise ValueError(f"there is no property.{rest}, but property. one of {known}")
        return Place(name, lambda _, properties, __: _brief(_text(getattr(properties, rest))))
    return Place(name, lambda document, _, __: _brief(lookup(document, name)))


def _brief(text: str | None) -> str | Missing | None:
    """What is filled in is kept in memory, and a sender may write megabytes."""
    if text is None or len(text) <= _NAME_BYTES_MAX:
        return text
    return Missing(f"{text!r:.300} names no index: {_TOO_LONG}")


def _date(dates: str) -> Field:
    directives = re.findall("%.?", dates)
    if not directives or any(directive not in _DATE_DIRECTIVES for directive in directives):
        raise ValueError(
            f"@timestamp takes a format made of {' '.join(_DATE_DIRECTIVES)}: "
            "write {@timestamp:%Y.%m.%d}"
        )

    @lru_cache(maxsize=1024)
    def render(hour: int) -> str:
        return (_EPOCH + timedelta(hours=hour)).strftime(dates)

    def field(
        document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Missing | None:
        try:
            return render(int(_seconds(document, properties, now) // 3600))
        except (ValueError, OverflowError):
            return Missing(f"@timestamp is no date: {document.get('@timestamp')!r:.100}")

    return field


def _seconds(document: Mapping[str, Any], properties: Properties, now: float) -> float:
    """When the document happened, in seconds since 1970.

    Raises:
        ValueError: it has an `@timestamp`, but not one that is a date.
    """
    value = document.get("@timestamp")
    if value is None:
        return now if properties.timestamp is None else properties.timestamp
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if abs(value) > _MILLISECONDS_FROM else value
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        value += "T00:00:00"
    moment = msgspec.convert(value, datetime)  # its error is a ValueError
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_SPECIAL = (".", "-", "_", "+")
"""An index that begins with a dot is Elasticsearch's own. With one of the others none begins, and
in requests they mean something else, as in `_all` and `-excluded`."""
_OF_MESSAGE = ("header.", "property.")
_DATE_DIRECTIVES = ("%Y", "%y", "%m", "%d", "%H", "%j", "%G", "%V")
"""Numbers only, and nothing below the hour: an index a minute is an accident."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 1e11
"""A number above it is milliseconds: in seconds it would be the year 5138."""
_NAME_BYTES_MAX = 255
_TOO_LONG = f"the name of an index has at most {_NAME_BYTES_MAX} bytes"
