"""Builds arithmetic of numbers, times and durations; `+` also joins texts, bytes and lists.

Pure. Numbers are those of JSON: `1` and `1.0` are equal, and integers and floats mix. An operation
without a result is `ABSENT`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import fmod, isfinite
from typing import Any

from flows.conditions.cel.comparisons import Operand
from flows.conditions.cel.values import (
    Duration,
    Timestamp,
    Unsigned,
    duration_of,
    timestamp_of,
    unsigned_of,
)
from flows.values.group import ABSENT


def compute(sign: str, left: Operand, right: Operand) -> Operand:
    """`+`, `-`, `*`, `/` or `%` of two operands."""
    how = _OF_NUMBERS[sign]

    def value(values: Sequence[Any], group: Any) -> Any:
        a, b = left(values, group), right(values, group)
        if a.__class__ in _NUMBERS and b.__class__ in _NUMBERS:
            return how(a, b) if b or sign not in "/%" else ABSENT
        return _compute_other(sign, a, b)

    return value


def negate(of: Operand) -> Operand:
    """`-` of one operand."""
    minus = _OF_NUMBERS["-"]

    def value(values: Sequence[Any], group: Any) -> Any:
        a = of(values, group)
        return minus(0, a) if a.__class__ in _NUMBERS else ABSENT

    return value


def _compute_other(sign: str, a: Any, b: Any) -> Any:
    if a.__class__ is Unsigned or b.__class__ is Unsigned:
        return _compute_unsigned(sign, a, b)
    how = _OTHERS.get((sign, a.__class__, b.__class__))
    if how is None:
        return ABSENT
    try:
        return how(a, b)
    except ValueError:
        return ABSENT


def _compute_unsigned(sign: str, a: Any, b: Any) -> Any:
    """Compute an unsigned result if both are unsigned; else compute as for signed numbers."""
    both = a.__class__ is b.__class__
    a, b = (int(one) if one.__class__ is Unsigned else one for one in (a, b))
    if not both:
        return compute(sign, lambda _values, _group: a, lambda _values, _group: b)((), None)
    if sign in "/%" and b == 0:
        return ABSENT
    try:
        return unsigned_of(_EXACT[sign](a, b))
    except ValueError:
        return ABSENT


def _checked(how: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make a result that exceeds 64 bits or a float an error, as CEL does."""

    def compute_checked(a: Any, b: Any) -> Any:
        try:
            value = how(a, b)
        except OverflowError:
            return ABSENT
        if value.__class__ is int:
            return value if -(2**63) <= value < 2**63 else ABSENT
        return value if isfinite(value) else ABSENT

    return compute_checked


def _divided(a: float, b: float) -> float:
    """Divide; round towards zero if both are integers."""
    if a.__class__ is int and b.__class__ is int:
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(a: float, b: float) -> float:
    """Return the remainder, with the sign of `a`."""
    if a.__class__ is int and b.__class__ is int:
        return abs(a) % abs(b) * (-1 if a < 0 else 1)
    return fmod(a, b)


_NUMBERS = frozenset({int, float})
_EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": _remainder,
}
_OF_NUMBERS = {sign: _checked(how) for sign, how in _EXACT.items()}
_OTHERS: dict[tuple[str, type, type], Callable[[Any, Any], Any]] = {
    **{("+", kind, kind): operator.add for kind in (str, bytes, list)},
    ("+", Timestamp, Duration): lambda a, b: timestamp_of(a.nanoseconds + b.nanoseconds),
    ("+", Duration, Timestamp): lambda a, b: timestamp_of(a.nanoseconds + b.nanoseconds),
    ("-", Timestamp, Duration): lambda a, b: timestamp_of(a.nanoseconds - b.nanoseconds),
    ("-", Timestamp, Timestamp): lambda a, b: duration_of(a.nanoseconds - b.nanoseconds),
    ("+", Duration, Duration): lambda a, b: duration_of(a.nanoseconds + b.nanoseconds),
    ("-", Duration, Duration): lambda a, b: duration_of(a.nanoseconds - b.nanoseconds),
}
