"""Operators of expressions, as closures over what gets at their operands.

Pure. Truth has three values, as in CEL: `None` is an error, and so is `ABSENT` among values.
Numbers are JSON's: `1` and `1.0` are one, and in arithmetic they mix; true and false are none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import fmod, isfinite
from typing import Any

from flows.fields.keys import canonical
from flows.group import ABSENT

Test = Callable[[Sequence[Any], Any], "bool | None"]
"""(values of a message, group so far) -> true, false, or `None` for an error."""
Operand = Callable[[Sequence[Any], Any], Any]
"""The same for a value; `ABSENT` for an error."""


def compare(sign: str, left: Operand, right: Operand) -> Test:
    """`==` and so on between any two operands."""
    if sign in ("==", "!="):
        wanted = sign == "=="

        def equality(values: Sequence[Any], group: Any) -> bool | None:
            same = equal(left(values, group), right(values, group))
            return None if same is None else same is wanted

        return equality
    order = _ORDERS[sign]

    def ordering(values: Sequence[Any], group: Any) -> bool | None:
        a, b = left(values, group), right(values, group)
        return order(a, b) if b.__class__ in _ORDERED.get(a.__class__, _NOTHING) else None

    return ordering


def compare_field(sign: str, index: int, literal: Any) -> Test:
    """The same between a value and a literal, as most conditions have it: 0.07 µs."""
    kinds = _LIKE[literal.__class__]
    if sign == "==":

        def same(values: Sequence[Any], _group: Any) -> bool | None:
            value = values[index]
            if value.__class__ in kinds:
                return bool(value == literal)
            return None if value is ABSENT else False

        return same
    if sign == "!=":

        def different(values: Sequence[Any], _group: Any) -> bool | None:
            value = values[index]
            if value.__class__ in kinds:
                return bool(value != literal)
            return None if value is ABSENT else True

        return different
    order = _ORDERS[sign]

    def ordering(values: Sequence[Any], _group: Any) -> bool | None:
        value = values[index]
        return order(value, literal) if value.__class__ in kinds else None

    return ordering


def equal(a: Any, b: Any) -> bool | None:
    """Whether two values are the same; `None` when one is absent."""
    if a is ABSENT or b is ABSENT:
        return None
    if a.__class__ is b.__class__:
        if a.__class__ is dict or a.__class__ is list:
            # Python takes [1] and [true] for the same. Nested too deeply, they are not compared.
            text = canonical(a)
            return bool(text is not ABSENT and text == canonical(b))
        return bool(a == b)
    return a.__class__ in _NUMBERS and b.__class__ in _NUMBERS and bool(a == b)


def contains(left: Operand, right: Operand) -> Test:
    """`in`: an item of a list, or a name in an object."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        a, b = left(values, group), right(values, group)
        if a is ABSENT or (b.__class__ is not list and b.__class__ is not dict):
            return None
        return any(equal(a, item) for item in b)

    return test


def among(left: Operand, items: Sequence[Any]) -> Test:
    """`in` a list of literals."""
    texts = frozenset(item for item in items if item.__class__ is str)
    others = [item for item in items if item.__class__ is not str]

    def test(values: Sequence[Any], group: Any) -> bool | None:
        value = left(values, group)
        if value.__class__ is str:
            return value in texts
        return None if value is ABSENT else any(equal(value, item) for item in others)

    return test


def compute(sign: str, left: Operand, right: Operand) -> Operand:
    """Arithmetic on numbers, and `+` on texts."""
    how = _ARITHMETIC[sign]

    def value(values: Sequence[Any], group: Any) -> Any:
        a, b = left(values, group), right(values, group)
        if a.__class__ in _NUMBERS and b.__class__ in _NUMBERS:
            return how(a, b) if b or sign not in "/%" else ABSENT
        return a + b if sign == "+" and a.__class__ is b.__class__ is str else ABSENT

    return value


def pick(of: Operand, which: Operand) -> Operand:
    """A field of an object, or an item of a list."""

    def value(values: Sequence[Any], group: Any) -> Any:
        a, b = of(values, group), which(values, group)
        if a.__class__ is dict and b.__class__ is str:
            return a.get(b, ABSENT)
        inside = a.__class__ is list and b.__class__ is int and 0 <= b < len(a)
        return a[b] if inside else ABSENT

    return value


def length(of: Operand) -> Operand:
    """`size`, where of a text the characters count."""

    def value(values: Sequence[Any], group: Any) -> Any:
        what = of(values, group)
        return len(what) if what.__class__ in (str, list, dict) else ABSENT

    return value


def _checked(how: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Integers have 64 bits, as everywhere in CEL; beyond them, and beyond floats, is an error."""

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
    """Towards zero where both are integers."""
    if a.__class__ is int and b.__class__ is int:
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(a: float, b: float) -> float:
    """With the sign of what is divided."""
    if a.__class__ is int and b.__class__ is int:
        return abs(a) % abs(b) * (-1 if a < 0 else 1)
    return fmod(a, b)


_NUMBERS = frozenset({int, float})
_LIKE: dict[type, Sequence[type]] = {
    int: (int, float),
    float: (float, int),
    str: (str,),
    bool: (bool,),
    type(None): (type(None),),
}
"""What is of one kind: only that is ever equal, or has an order."""
_ORDERED = {kind: like for kind, like in _LIKE.items() if kind is not type(None)}
_NOTHING: Sequence[type] = ()
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ARITHMETIC = {
    "+": _checked(operator.add),
    "-": _checked(operator.sub),
    "*": _checked(operator.mul),
    "/": _checked(_divided),
    "%": _checked(_remainder),
}
