"""Infers the kinds of values in an expression: what operators take, and what they return.

Pure. Kinds are `truth`, `number`, `text`, `null`, `bytes`, `list`, `map`, `time`, `duration` and
`type`; `None`: unknown at load, as for a field of a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from flows.conditions.cel.references import OfGroup, OfItem, Reference
from flows.conditions.cel.values import Duration, Timestamp, Type, Unsigned

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
"""The names of kinds in errors."""


CLASSES: dict[str, tuple[type, ...]] = {
    "truth": (bool,),
    "number": (int, float, Unsigned),
    "text": (str,),
    "null": (type(None),),
    "bytes": (bytes,),
    "list": (list,),
    "map": (dict,),
    "time": (Timestamp,),
    "duration": (Duration,),
    "type": (Type,),
}
"""The Python classes of each kind."""
MACROS = {"exists": "truth", "all": "truth", "exists_one": "truth", "map": "list", "filter": "list"}
"""The macros over lists, and the kind of their result."""


def of_literal(value: object) -> str:
    """Return the kind of a literal's value."""
    return next(kind for kind, classes in CLASSES.items() if value.__class__ in classes)


def of_reference(reference: Reference) -> Kind:
    """Return the kind of a reference; `None`: unknown at load."""
    if isinstance(reference, OfItem):
        return None
    if isinstance(reference, OfGroup):
        return "number" if reference.name in ("count", "bytes", "age", "sum", "avg") else None
    path = reference.path
    if path.root in ("routing_key", "exchange", "queue"):
        return "text"
    if path.root == "property":
        return "number" if path.names[0] in _NUMBERS else "text"
    return "map" if not path.names else None


def fits(name: str, kinds: Sequence[Kind]) -> bool:
    """Return whether an operator takes operands of these kinds."""
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
        return len(known) < 2 or (name, *known) in _OF_TIMES
    allowed = ("number", "text", "list", "bytes") if name == "+" else ("number",)
    return len(set(known)) < 2 and set(known) <= set(allowed)


def result(name: str, kinds: Sequence[Kind]) -> Kind:
    """Return the kind of an operator's result."""
    if name in ("==", "!=", "<", "<=", ">", ">=", "in"):
        return "truth"
    if name == "neg" or name in ("*", "/", "%"):
        return "number"
    if "time" in kinds or "duration" in kinds:
        return _OF_TIMES.get((name, *kinds))
    return next((kind for kind in kinds if kind is not None), None)


_NUMBERS = ("delivery_mode", "priority", "timestamp")
"""Properties that are numbers."""
_OF_TIMES: dict[tuple[Kind, ...], str] = {
    ("+", "time", "duration"): "time",
    ("+", "duration", "time"): "time",
    ("+", "duration", "duration"): "duration",
    ("-", "time", "duration"): "time",
    ("-", "time", "time"): "duration",
    ("-", "duration", "duration"): "duration",
}
"""The kinds of sums and differences of times and durations."""
