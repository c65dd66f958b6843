"""Reads paths, which name places in a message, and finds their values.

Pure. A path finds a JSON value, or `ABSENT`; a missing value is no error.

    order.id                 a field of the document; as in Elasticsearch, `{"order": {"id": 1}}`
                             and `{"order.id": 1}` both have it
    /order/id  /a.b/0        a field by JSON Pointer (RFC 6901): names with dots, items of arrays
    header.x-order           a header; all of the text after `header.` is its name
    property.correlation_id  a property of the message
    routing_key  exchange  queue
    body.header.x            the document's field `header.x`
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from connectors.message import Properties
from flows.values.group import ABSENT

Get = Callable[[dict[str, Any], Properties, str], Any]
"""(document, properties, name of the queue) -> value or `ABSENT`."""

Root = Literal["document", "header", "property", "routing_key", "exchange", "queue"]

PROPERTIES = tuple(name for name in Properties._fields if name != "headers")
"""The names that may follow `property.`."""


class Path(NamedTuple):
    """A place in a message. Two paths are equal if they are written the same way."""

    text: str
    """As it was written."""
    root: Root
    names: tuple[str, ...] = ()
    """The names from the root on; empty: the whole root."""

    @property
    def needs(self) -> Literal["document", "properties", "route"]:
        """The part of a message to decode for it; `route`: exchange, routing key and queue."""
        if self.root == "document":
            return "document"
        return "properties" if self.root in ("header", "property") else "route"

    def getter(self) -> Get:
        """Build a function that finds the value: 0.05 µs for a top-level field, 0.1 µs below."""
        if self.root == "document":
            return _field_getter(self)
        return _header_getter(self.names) if self.root == "header" else _property_getter(self)


DOCUMENT = Path("", "document")
HEADERS = Path("header", "header")
"""All headers."""
ENVELOPE = Path("property", "property")
"""All properties, as a `Properties`."""


def parse(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it is no path; the text has the remedy.
    """
    if text != text.strip() or text == "":
        raise ValueError("a path names a field, such as order.id, without spaces around it")
    if text.startswith("/"):
        return Path(text, "document", _pointer(text))
    kind, _, rest = text.partition(".")
    if text in _ROOTS:
        return Path(text, _ROOTS[text])
    if kind == "header" and rest:
        return Path(text, "header", (rest,))
    if kind == "property" and rest:
        return Path(text, "property", (_property(rest),))
    names = tuple((rest if kind == "body" and rest else text).split("."))
    if "" in names:
        raise ValueError(f"a name is missing between the dots: write a.b or /a.b, not {text}")
    return Path(text, "document", names)


def reader(paths: Sequence[Path]) -> Callable[[dict[str, Any], Properties, str], tuple[Any, ...]]:
    """Build a function that finds the values of several paths, in their order."""
    getters = [path.getter() for path in paths]
    if len(getters) == 1:
        only = getters[0]
        return lambda document, properties, queue: (only(document, properties, queue),)
    if getters and all(path.root == "document" and len(path.names) == 1 for path in paths):
        return _fields_reader([path.names[0] for path in paths])
    return lambda document, properties, queue: tuple(
        [get(document, properties, queue) for get in getters]
    )


def _fields_reader(names: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
    """Build a function that finds the values of at least two top-level fields.

    If all of them exist, as they mostly do, it takes 0.1 µs, a third of finding each by itself.
    """
    get_all: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)

    def read(document: dict[str, Any], _properties: Properties, _queue: str) -> tuple[Any, ...]:
        try:
            return get_all(document)
        except KeyError:
            return tuple([document.get(name, ABSENT) for name in names])

    return read


def fields_of(paths: Iterable[Path]) -> frozenset[str] | None:
    """Return the top-level fields that these paths need; `None`: all fields."""
    names: set[str] = set()
    for path in paths:
        if path.root == "document":
            if not path.names:
                return None
            # `order.id` finds `{"order.id": 1}`, but `/order/id` does not.
            dotted = () if path.text.startswith("/") else (".".join(path.names),)
            names.update((path.names[0], *dotted))
    return frozenset(names)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the most similar known name, or all of them."""
    close = get_close_matches(name, known, n=1, cutoff=0.74)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _pointer(text: str) -> tuple[str, ...]:
    names = text[1:].split("/")
    if "" in names or "-" in names or re.search("~(?![01])", text):
        raise ValueError("a JSON Pointer is names and numbers with / before each, as in /a.b/0")
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in names)


def _property(name: str) -> str:
    if name not in PROPERTIES:
        raise ValueError(f"there is no property.{name}: {nearest(name, PROPERTIES)}")
    return name


def _field_getter(path: Path) -> Get:
    names = path.names
    if path.text.startswith("/"):
        return lambda document, _properties, _queue: walk(document, names)
    if not names:
        return lambda document, _properties, _queue: document
    if len(names) == 1:
        name = names[0]
        return lambda document, _properties, _queue: document.get(name, ABSENT)
    first, second, rest, dotted = names[0], names[1], names[2:], ".".join(names)

    def get(document: dict[str, Any], _properties: Properties, _queue: str) -> Any:
        value = document.get(first)
        if value.__class__ is dict:
            value = value.get(second, ABSENT)
            if rest:
                value = walk_objects(value, rest)
            if value is not ABSENT:
                return value
        return document.get(dotted, ABSENT)

    return get


def _header_getter(names: tuple[str, ...]) -> Get:
    if not names:
        return lambda _document, properties, _queue: as_json(properties.headers or {})
    (name,) = names

    def get(_document: dict[str, Any], properties: Properties, _queue: str) -> Any:
        headers = properties.headers
        value = ABSENT if headers is None else headers.get(name, ABSENT)
        return value if value.__class__ in _AS_THEY_ARE else as_json(value)

    return get


def _property_getter(path: Path) -> Get:
    if path.root == "queue":
        return lambda _document, _properties, queue: queue
    if path.root == "property" and not path.names:
        return lambda _document, properties, _queue: properties
    index = Properties._fields.index(path.names[0] if path.names else path.root)

    def get(_document: dict[str, Any], properties: Properties, _queue: str) -> Any:
        value = properties[index]
        return ABSENT if value is None else value

    return get


def walk(value: Any, names: Sequence[str]) -> Any:
    """Follow names into objects, and numbers into arrays; return the value or `ABSENT`."""
    for name in names:
        if value.__class__ is dict:
            value = value.get(name, ABSENT)
        elif value.__class__ is list and _NUMBER(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return ABSENT
    return value


def walk_objects(value: Any, names: Sequence[str]) -> Any:
    """Follow names into objects; return the value or `ABSENT`."""
    for name in names:
        if value.__class__ is not dict:
            return ABSENT
        value = value.get(name, ABSENT)
    return value


def as_json(value: Any) -> Any:
    """Return the value of a header as JSON: times and bytes are texts, NaN and infinity null."""
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


_ROOTS: dict[str, Root] = {"routing_key": "routing_key", "exchange": "exchange", "queue": "queue"}
_NUMBER = re.compile("0|[1-9][0-9]{0,8}").fullmatch
_AS_THEY_ARE = (str, int, bool, type(None), type(ABSENT))
