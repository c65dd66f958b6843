"""Tells which group a message belongs to: by a text that is the same for the same key.

Pure. The text is JSON in one spelling. So keys have types (`1` and `"1"` are two) without anything
that keeps them having to know of it, and objects and arrays are keys by what is in them.
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
    """The keys of a stream."""

    def __init__(self, by: Path | Sequence[Path], default: Any = ABSENT) -> None:
        """`default` stands for a part that is missing; the same key as if it had been there."""
        self.paths = [by] if isinstance(by, Path) else [*by]
        """Where the parts of a key are."""
        self._getters = [path.getter() for path in self.paths]
        self._default = canonical(default)
        self.key = self._reader() if isinstance(by, Path) else self._key_of_parts
        """(document, properties, name of the queue) -> the key, a `str`; `ABSENT` when some part is
        absent or null. It costs 0.2 µs where the key is one text, 0.5 µs for two texts."""

    def _reader(self) -> Get:
        """A function for keys that are one value, which most are: it looks up nothing twice."""
        (get,), part, quote = self._getters, self._part, _quote

        def key(document: dict[str, Any], properties: Properties, queue: str) -> Any:
            value = get(document, properties, queue)
            # Most keys are texts.
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


def make_keys(spec: AggregateSpec) -> Keys | None:
    """The keys that a spec names; `None`: it names none."""
    if spec.by is None:
        return None
    default = spec.missing_key.default if isinstance(spec.missing_key, MissingKey) else ABSENT
    by = parse(spec.by) if isinstance(spec.by, str) else [parse(text) for text in spec.by]
    return Keys(by, default)


def canonical(value: Any) -> Any:
    """JSON in one spelling, a `str`; `ABSENT` for what is no key: null, absent, not a number.

    Equal numbers are spelled alike (`1`, `1.0`, `1e0`), however large, and so are objects whose
    names come in another order. What is nested deeper than Python's stack is no key either.
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
    """Which of so many shards a key belongs to; for all processes and versions of Python alike.

    It costs 0.1 µs.
    """
    try:
        return crc32(key.encode()) % shards
    except UnicodeEncodeError:  # a lone surrogate; to allow them always would cost as much again
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
"""How each kind of value that JSON has is spelled."""
