"""Computes the key of a message as canonical JSON: equal keys have equal texts.

Pure. So keys keep their types (`1` and `"1"` differ) although they are stored as texts, and objects
and arrays are compared by content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring as _quote
from math import isfinite
from typing import Any
from zlib import crc32

from connectors.message import Properties
from flows.config.aggregate import AggregateSpec, MissingKey
from flows.values.group import ABSENT
from flows.values.paths import Get, Path, parse


class Keys:
    """Reads the keys of messages."""

    def __init__(self, by: Path | Sequence[Path], default: Any = ABSENT) -> None:
        """`default`: the value for a missing part; messages with this value have the same key."""
        self.paths = [by] if isinstance(by, Path) else [*by]
        """The paths of the parts of a key."""
        self._getters = [path.getter() for path in self.paths]
        self._default = canonical(default)
        self.key = self._reader() if isinstance(by, Path) else self._key_of_parts
        """(document, properties, name of the queue) -> the key, a `str`; `ABSENT`: a part is absent
        or null. It takes 0.2 µs for a key of one text, 0.5 µs for two texts."""

    def _reader(self) -> Get:
        """Build a faster function for keys of one value, the most common ones."""
        (get,), part, quote = self._getters, self._part, _quote

        def key(document: dict[str, Any], properties: Properties, queue: str) -> Any:
            value = get(document, properties, queue)
            return quote(value) if value.__class__ is str else part(value)

        return key

    def _key_of_parts(self, document: dict[str, Any], properties: Properties, queue: str) -> Any:
        parts = []
        for get in self._getters:
            value = get(document, properties, queue)
            part = _quote(value) if value.__class__ is str else self._part(value)
            if part is ABSENT:
                return ABSENT
            parts.append(part)
        return f"[{','.join(parts)}]"

    def _part(self, value: Any) -> Any:
        text = canonical(value)
        return self._default if text is ABSENT else text


def make_distinct(spec: AggregateSpec) -> Keys | None:
    """Translate `distinct`; `None`: there is none."""
    if spec.distinct is None:
        return None
    by = spec.distinct.by
    return Keys(parse(by) if isinstance(by, str) else [parse(text) for text in by])


def make_keys(spec: AggregateSpec) -> Keys | None:
    """Translate a spec; `None`: it has no `by`."""
    if spec.by is None:
        return None
    default = spec.missing_key.default if isinstance(spec.missing_key, MissingKey) else ABSENT
    by = parse(spec.by) if isinstance(spec.by, str) else [parse(text) for text in spec.by]
    return Keys(by, default)


def canonical(value: Any) -> Any:
    """Return canonical JSON, a `str`; `ABSENT` for null, absent values, NaN and infinity.

    Equal numbers of any size have one text (`1`, `1.0`, `1e0`), and so have objects whose names are
    in another order. A value that is nested deeper than Python's stack is `ABSENT` too.
    """
    if value.__class__ is str:
        return _quote(value)
    if value is None or value is ABSENT or (value.__class__ is float and not isfinite(value)):
        return ABSENT
    try:
        return _SPELL[value.__class__](value)
    except RecursionError:
        return ABSENT


def shard_of(key: str, shards: int) -> int:
    """Return the number of the shard of a key, the same in all processes and versions of Python.

    It takes 0.1 µs.
    """
    try:
        return crc32(key.encode()) % shards
    except UnicodeEncodeError:  # a lone surrogate; always allowing them takes twice the time
        return crc32(key.encode("utf-8", "surrogatepass")) % shards


def _spell_float(value: float) -> str:
    if not isfinite(value):
        return "null"
    return repr(int(value)) if value.is_integer() else repr(value)


def _spell_object(value: dict[str, Any]) -> str:
    pairs = [
        f"{_quote(name)}:{_SPELL[inner.__class__](inner)}" for name, inner in sorted(value.items())
    ]
    return f"{{{','.join(pairs)}}}"


def _spell_array(value: list[Any]) -> str:
    return f"[{','.join([_SPELL[inner.__class__](inner) for inner in value])}]"


_SPELL: dict[type, Callable[[Any], str]] = {
    str: _quote,
    bool: lambda value: "true" if value else "false",
    int: repr,
    float: _spell_float,
    dict: _spell_object,
    list: _spell_array,
    type(None): lambda _: "null",
}
"""Writes each type of JSON value in its canonical form."""
