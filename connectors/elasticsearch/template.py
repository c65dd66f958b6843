"""Templates for names of indices, whose placeholders each document fills: `events-{tenant}`.

Pure. A placeholder is one of

    {tenant} {a.b}            a field of the document: a text, a number, `true` or `false`
    {header.x} {property.x}   of the message
    {routing_key} {exchange} {queue}  of the message
    {body.queue}              the field `queue` of the document, not of the message
    {created:%Y.%m.%d}        the UTC date in any of these
    {@timestamp:%Y.%m.%d}     the document's; without one the time that the message was sent, else
                              the time of arrival
    {tenant|lower}            in lowercase
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from connectors.elasticsearch.dates import date_printer
from connectors.elasticsearch.index_name import MAX_NAME_BYTES, TOO_LONG, problem_of_name, text_of
from connectors.message import Properties
from connectors.reject_kind import quoted
from connectors.spelling import kind_of_root
from connectors.times import AS_TIMES_ARE, read_time


class Missing(NamedTuple):
    """A name cannot be made, and why."""

    reason: str


Field = Callable[[Mapping[str, Any], Properties, float], "str | Missing | None"]
"""(document, properties, time of arrival) -> text; `None`: there is none."""

Get = Callable[[Mapping[str, Any], Properties], Any]
"""(document, properties) -> the value there; `None`: there is none."""
Root = Literal["document", "header", "property", "routing_key", "exchange", "queue"]


class Placeholder(NamedTuple):
    """A placeholder in a template."""

    name: str
    """Without its format."""
    root: Root
    path: str
    """Of a field, a header or a property, from the root; empty: the root itself."""
    sample: str
    """A possible text, to check the template."""
    field: Field


class Template:
    """A name with placeholders."""

    def __init__(self, texts: Sequence[str], placeholders: Sequence[Placeholder]) -> None:
        """`texts` and `placeholders` alternate; there is one text more."""
        self.texts, self.placeholders = texts, placeholders
        self._fields = [placeholder.field for placeholder in placeholders]
        # The documents of a job go to few indices.
        self._fill = lru_cache(maxsize=1024)(self._filled)

    @property
    def fields(self) -> frozenset[str]:
        """The fields of the document that the template reads."""
        paths = [
            placeholder.path for placeholder in self.placeholders if placeholder.root == "document"
        ]
        return frozenset[str]().union(*map(fields_at, paths))

    @property
    def needs_properties(self) -> bool:
        """The template reads the message's properties."""
        return any(
            placeholder.name == "@timestamp" or placeholder.root not in ("document", "queue")
            for placeholder in self.placeholders
        )

    @property
    def needs_queue(self) -> bool:
        """The template has the name of the queue in it."""
        return any(placeholder.root == "queue" for placeholder in self.placeholders)

    def render(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Missing:
        """Return the name of a document's index, if Elasticsearch allows it.

        The name has the texts of the template, and no value in it begins with a character that is
        special at the beginning of a name. So a sender can not choose an index that the template
        does not intend.
        """
        return self._fill(*[field(document, properties, now) for field in self._fields])

    def _filled(self, *values: str | Missing | None) -> str | Missing:
        name = self.texts[0]
        for placeholder, value, text in zip(self.placeholders, values, self.texts[1:], strict=True):
            if isinstance(value, Missing):
                return value
            if value is None:
                return Missing(f"no text or number in {placeholder.name}")
            if value.startswith(_SPECIAL):
                return Missing(f"{value!r:.300} in {placeholder.name} begins with one of . - _ +")
            name += value + text
        problem = problem_of_name(name)
        return name if problem is None else Missing(f"{name!r:.300} is not allowed: {problem}")


def parse_template(text: str, queue: str = "queue") -> Template:
    """Parse a name of an index, with or without placeholders; `queue` fills `{queue}`.

    Raises:
        ValueError: it can never name an index; the text has the place and the remedy.
    """
    pieces = re.split(r"\{([^{}]*)\}", text)
    texts, inner = pieces[0::2], pieces[1::2]
    if any("{" in text or "}" in text for text in texts):
        raise ValueError("every { of a template needs its }: write events-{tenant}")
    placeholders = []
    for placeholder in inner:
        try:
            placeholders.append(_parse_placeholder(placeholder, queue))
        except ValueError as error:
            raise ValueError(f"{{{placeholder}}}: {error}") from None
    sample = texts[0] + "".join(
        f"{placeholder.sample}{after}"
        for placeholder, after in zip(placeholders, texts[1:], strict=True)
    )
    problem = problem_of_name(sample)
    if problem is not None:
        raise ValueError(problem)
    if any(placeholder.sample.startswith(_SPECIAL) for placeholder in placeholders):
        raise ValueError("the value of a placeholder must not begin with one of . - _ +")
    return Template(texts, placeholders)


def lookup(document: Mapping[str, Any], path: str) -> str | None:
    """Return the text or number at a dotted path, as text; `None`: there is none, or it is empty.

    As in Elasticsearch, `{"a": {"b": 1}}` and `{"a.b": 1}` both have an `a.b`.
    """
    value = _value_at(document, path)
    if value.__class__ is str:
        return value or None
    return None if isinstance(value, bool) else text_of(value)


def fields_at(path: str) -> frozenset[str]:
    """Return the top-level fields of the document that `lookup` needs for a path."""
    return frozenset((path, path.partition(".")[0]))


def _value_at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        # Decoded objects are dicts; a check for any Mapping takes six times as long.
        value = value.get(name) if isinstance(value, dict) else None
    return document.get(path) if value is None else value


def _parse_placeholder(placeholder: str, queue: str) -> Placeholder:
    name, colon, dates = placeholder.partition(":")
    name, bar, change = name.partition("|")
    if bar and (colon or change != "lower"):
        raise ValueError(f"only lower may follow a |: write {{{name}|lower}}")
    root, path = _parse_name(name)
    get = _getter(root, path, queue)
    if colon or name == "@timestamp":
        try:
            shown = date_printer(dates)
        except ValueError as error:
            raise ValueError(f"{error}: write {{{name}:%Y.%m.%d}}") from None
        return Placeholder(name, root, path, shown(0.0), _date_field(name, get, shown))
    sample = (queue.lower() if bar else queue) if root == "queue" else "x"
    return Placeholder(name, root, path, sample, _text_field(name, get, lower=bool(bar)))


def _parse_name(name: str) -> tuple[Root, str]:
    if name in _OF_MESSAGE:
        return _OF_MESSAGE[name], ""
    kind, _, rest = name.partition(".")
    if kind == "header" and rest:
        return "header", rest
    if kind == "property" and rest:
        if rest not in Properties._fields or rest == "headers":
            known = ", ".join(field for field in Properties._fields if field != "headers")
            raise ValueError(f"there is no property.{rest}; after property. write one of {known}")
        return "property", rest
    root, dot, _ = rest.partition(".")
    if kind == "body" and (kind_of_root(root) if dot else rest in _OF_MESSAGE):
        name = rest
    if "" in name.split("."):
        raise ValueError("a template names fields as in {tenant} or {a.b}")
    return "document", name


def _getter(root: Root, path: str, queue: str) -> Get:
    if root == "document":
        return lambda document, _: _value_at(document, path)
    if root == "header":
        return lambda _, properties: (properties.headers or {}).get(path)
    if root == "queue":
        return lambda _, __: queue
    index = Properties._fields.index(path or root)
    return lambda _, properties: properties[index]


def _text_field(name: str, get: Get, lower: bool) -> Field:
    def field(
        document: Mapping[str, Any], properties: Properties, _now: float
    ) -> str | Missing | None:
        value = get(document, properties)
        if isinstance(value, datetime):
            return Missing(f"{name} is a time: write {{{name}:%Y.%m.%d}}")
        text = value or None if value.__class__ is str else text_of(value)
        if text is not None and len(text) > MAX_NAME_BYTES:
            # The cache keeps values in memory, and a sender may write megabytes.
            return Missing(f"{text!r:.300} is not allowed: {TOO_LONG}")
        return text.lower() if lower and text else text

    return field


def _date_field(name: str, get: Get, shown: Callable[[float], str]) -> Field:
    def field(
        document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Missing | None:
        value, of = get(document, properties), name
        if value is None and name == "@timestamp":
            value, of = properties.timestamp, "property.timestamp"
            if value is None:
                return shown(now)
        seconds = read_time(value)
        return _no_date(of, value) if seconds is None else shown(seconds)

    return field


def _no_date(name: str, value: Any) -> Missing:
    if value is None:
        return Missing(f"no date in {name}")
    return Missing(f"{name} is no date, {AS_TIMES_ARE}: {quoted(value)}")


_SPECIAL = (".", "-", "_", "+")
"""Indices of Elasticsearch itself begin with a dot. No index begins with one of the others, which
have another meaning in requests, as in `_all` and `-excluded`."""
_OF_MESSAGE: dict[str, Root] = {
    "routing_key": "routing_key",
    "exchange": "exchange",
    "queue": "queue",
}
