"""Declares the functions of conditions: arguments, kind of the result, implementation. Pure.

They are CEL's standard functions and its strings extension, without `format` and `quote`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flows.conditions.cel import conversions, patterns, texts, timestamps
from flows.conditions.cel.comparisons import Operand
from flows.conditions.cel.kinds import CLASSES, Kind
from flows.conditions.cel.values import SECOND, type_of
from flows.values.group import ABSENT


class ConditionFunction(NamedTuple):
    """A function, called as `f(x)` or as `x.f()`."""

    call: Callable[..., Any]
    """Takes values of the kinds in `takes`.

    Raises:
        ValueError: it has no result for them; the text says why.
    """
    kind: Kind
    """Of the result."""
    takes: Sequence[Sequence[str]]
    """The kinds of each argument, the receiver first; empty: any kind."""
    optional: int = 0
    """The number of arguments at the end that may be left out."""
    check: Callable[[Any], None] | None = None
    """Checks the last argument at load; `ABSENT`: it is not known yet.

    Raises:
        ValueError: it is invalid.
    """

    def allows(self, values: Sequence[Any]) -> bool:
        """Return whether the values are of the kinds in `takes`."""
        return all(
            value.__class__ in _classes(kinds)
            for value, kinds in zip(values, self.takes, strict=False)
        )


def apply(function: ConditionFunction, operands: Sequence[Operand], last: Any) -> Operand:
    """Build an operand that calls a function; its value is `ABSENT` if there is no result.

    `last`: the last argument if it is a constant, as it mostly is; else `ABSENT`.
    """
    call = function.call
    allowed = [_classes(kinds) for kinds in function.takes]
    if len(operands) == 1:
        return _apply_to_one(call, operands[0], allowed[0])
    if len(operands) == 2 and last.__class__ in allowed[1]:
        return _apply_with_constant(call, operands[0], last, allowed[0])
    if len(operands) == 2:
        return _apply_to_two(call, operands[0], operands[1], allowed[0], allowed[1])

    def value(values: Sequence[Any], group: Any) -> Any:
        found = [operand(values, group) for operand in operands]
        if any(one.__class__ not in kinds for one, kinds in zip(found, allowed, strict=False)):
            return ABSENT
        try:
            return call(*found)
        except ValueError:
            return ABSENT

    return value


def _classes(kinds: Sequence[str]) -> frozenset[type]:
    """Return the Python classes of values of these kinds; of all kinds if it is empty."""
    return frozenset(kind for name in kinds or CLASSES for kind in CLASSES[name])


def _apply_to_one(call: Callable[..., Any], of: Operand, allowed: frozenset[type]) -> Operand:
    def value(values: Sequence[Any], group: Any) -> Any:
        found = of(values, group)
        if found.__class__ not in allowed:
            return ABSENT
        try:
            return call(found)
        except ValueError:
            return ABSENT

    return value


def _apply_with_constant(
    call: Callable[..., Any], of: Operand, constant: Any, allowed: frozenset[type]
) -> Operand:
    def value(values: Sequence[Any], group: Any) -> Any:
        found = of(values, group)
        if found.__class__ not in allowed:
            return ABSENT
        try:
            return call(found, constant)
        except ValueError:
            return ABSENT

    return value


def _apply_to_two(
    call: Callable[..., Any],
    left: Operand,
    right: Operand,
    of_left: frozenset[type],
    of_right: frozenset[type],
) -> Operand:
    def value(values: Sequence[Any], group: Any) -> Any:
        a, b = left(values, group), right(values, group)
        if a.__class__ not in of_left or b.__class__ not in of_right:
            return ABSENT
        try:
            return call(a, b)
        except ValueError:
            return ABSENT

    return value


def _check_zone(zone: Any) -> None:
    if zone is not ABSENT:
        timestamps.read_zone(zone)


_TEXT, _NUMBER, _LIST = ("text",), ("number",), ("list",)
_SIZED = ("text", "bytes", "list", "map")
_MOMENT, _TIMES = ("time",), ("time", "duration")


def _of_date(of: Callable[[Any], int]) -> ConditionFunction:
    return ConditionFunction(timestamps.calendar(of), "number", [_MOMENT, _TEXT], 1, _check_zone)


def _of_clock(of: Callable[[Any], int], unit: int) -> ConditionFunction:
    return ConditionFunction(timestamps.clock(of, unit), "number", [_TIMES, _TEXT], 1, _check_zone)


CALLS = {
    "size": ConditionFunction(len, "number", [_SIZED]),
    "int": ConditionFunction(conversions.to_int, "number", [("number", "text", "time")]),
    "uint": ConditionFunction(conversions.to_uint, "number", [("number", "text")]),
    "double": ConditionFunction(conversions.to_double, "number", [("number", "text")]),
    "string": ConditionFunction(
        conversions.to_string, "text", [("text", "number", "truth", "bytes", "time", "duration")]
    ),
    "bytes": ConditionFunction(conversions.to_bytes, "bytes", [("text", "bytes")]),
    "bool": ConditionFunction(conversions.to_bool, "truth", [("truth", "text")]),
    "timestamp": ConditionFunction(timestamps.read_timestamp, "time", [("text", "time")]),
    "duration": ConditionFunction(timestamps.read_duration, "duration", [("text", "duration")]),
    "type": ConditionFunction(type_of, "type", [()]),
    "dyn": ConditionFunction(lambda value: value, None, [()]),
}
"""Functions that are called as `size(x)`."""
METHODS = {
    "size": CALLS["size"],
    "contains": ConditionFunction(operator.contains, "truth", [_TEXT, _TEXT]),
    "startsWith": ConditionFunction(str.startswith, "truth", [_TEXT, _TEXT]),
    "endsWith": ConditionFunction(str.endswith, "truth", [_TEXT, _TEXT]),
    "matches": ConditionFunction(patterns.matches, "truth", [_TEXT, _TEXT], check=patterns.check),
    "charAt": ConditionFunction(texts.char_at, "text", [_TEXT, _NUMBER]),
    "indexOf": ConditionFunction(texts.index_of, "number", [_TEXT, _TEXT, _NUMBER], 1),
    "lastIndexOf": ConditionFunction(texts.last_index_of, "number", [_TEXT, _TEXT, _NUMBER], 1),
    "substring": ConditionFunction(texts.substring, "text", [_TEXT, _NUMBER, _NUMBER], 1),
    "replace": ConditionFunction(texts.replace, "text", [_TEXT, _TEXT, _TEXT, _NUMBER], 1),
    "split": ConditionFunction(texts.split, "list", [_TEXT, _TEXT, _NUMBER], 1),
    "join": ConditionFunction(texts.join, "text", [_LIST, _TEXT], 1),
    "lowerAscii": ConditionFunction(texts.lower_ascii, "text", [_TEXT]),
    "upperAscii": ConditionFunction(texts.upper_ascii, "text", [_TEXT]),
    "trim": ConditionFunction(texts.trim, "text", [_TEXT]),
    "reverse": ConditionFunction(texts.reverse, "text", [_TEXT]),
    "getFullYear": _of_date(lambda at: at.year),
    "getMonth": _of_date(lambda at: at.month - 1),
    "getDate": _of_date(lambda at: at.day),
    "getDayOfMonth": _of_date(lambda at: at.day - 1),
    "getDayOfWeek": _of_date(lambda at: at.isoweekday() % 7),
    "getDayOfYear": _of_date(lambda at: at.timetuple().tm_yday - 1),
    "getHours": _of_clock(lambda at: at.hour, 3600 * SECOND),
    "getMinutes": _of_clock(lambda at: at.minute, 60 * SECOND),
    "getSeconds": _of_clock(lambda at: at.second, SECOND),
    "getMilliseconds": ConditionFunction(
        timestamps.milliseconds, "number", [_TIMES, _TEXT], 1, _check_zone
    ),
}
"""Functions that are called as `x.size()`. Days of a week count from Sunday, which is 0."""
