"""Which kinds of values there are in an expression, and what operators and functions take and make.

Pure. Kinds are `truth`, `number`, `text`, `null`, `bytes`, `list`, `map`, `time`, `duration` and
`type`; `None` is any of them, as fields of a message are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flows.fields.expressions.references import OfGroup, OfItem, Reference

Kind = str | None

SPOKEN = {
    "truth": "true or false",
    "number": "a number",
    "text": "a text",
    "null": "null",
    "bytes": "bytes",
    "list": "a list",
    "map": "an object",
    "time": "a time",
    "duration": "a duration",
    "type": "a type",
}
"""How to speak of them."""


class Function(NamedTuple):
    """How a function is called, and what comes out."""

    kind: Kind
    arguments: int
    receiver: Kind = None
    """What a method is called on."""


CALLS = {
    "size": Function("number", 1),
    "int": Function("number", 1),
    "uint": Function("number", 1),
    "double": Function("number", 1),
    "string": Function("text", 1),
    "bytes": Function("bytes", 1),
    "timestamp": Function("time", 1),
    "duration": Function("duration", 1),
    "type": Function("type", 1),
    "dyn": Function(None, 1),
    "has": Function("truth", 1),
}
METHODS = {
    "size": Function("number", 0),
    **{
        name: Function("truth", 1, "text")
        for name in ("contains", "startsWith", "endsWith", "matches")
    },
    **{
        name: Function("number", 0, "time")
        for name in (
            *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"),
            *("getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"),
        )
    },
}
MACROS = {"exists": "truth", "all": "truth", "exists_one": "truth", "map": "list", "filter": "list"}
TYPES = ("int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type")
"""What the evaluator knows. More of CEL (timezones, optional values) it does not."""


def of_literal(value: str | float | bool | None) -> Kind:
    """The kind of a literal's value."""
    return _OF_LITERALS[type(value)]


def of_reference(reference: Reference) -> Kind:
    """What is known from the start of what an expression looks at."""
    if isinstance(reference, OfItem):
        return None
    if isinstance(reference, OfGroup):
        return "number" if reference.name in ("count", "bytes", "age", "sum", "avg") else None
    path = reference.path
    if path.root in ("routing_key", "queue"):
        return "text"
    if path.root == "property":
        return "number" if path.names[0] in _NUMBERS else "text"
    return "map" if not path.names else None


def fits(name: str, kinds: Sequence[Kind]) -> bool:
    """Whether an operator takes operands of these kinds."""
    known = [kind for kind in kinds if kind is not None]
    if name in ("==", "!="):
        return len({kind for kind in known if kind != "null"}) < 2
    if name in ("<", "<=", ">", ">="):
        return len(set(known)) < 2 and not {"null", "list", "map", "type"} & set(known)
    if name == "in":
        return kinds[1] in (None, "list", "map")
    if name == "neg" or name in ("*", "/", "%"):
        return set(known) <= {"number"}
    if {"time", "duration"} & set(known):
        return set(known) <= {"time", "duration"} and not (name == "+" and known == ["time"] * 2)
    allowed = ("number", "text", "list", "bytes") if name == "+" else ("number",)
    return len(set(known)) < 2 and set(known) <= set(allowed)


def result(name: str, kinds: Sequence[Kind]) -> Kind:
    """The kind of what comes out of an operator."""
    if name in ("==", "!=", "<", "<=", ">", ">=", "in"):
        return "truth"
    if name == "neg" or name in ("*", "/", "%"):
        return "number"
    if "time" in kinds or "duration" in kinds:
        return None
    return next((kind for kind in kinds if kind is not None), None)


_OF_LITERALS: dict[type, str] = {
    bool: "truth",
    int: "number",
    float: "number",
    str: "text",
    type(None): "null",
}
_NUMBERS = ("delivery_mode", "priority", "timestamp")
"""Properties that are no texts."""
