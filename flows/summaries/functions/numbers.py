"""Functions of numbers: `sum`, `avg`, `min` and `max`; they skip absent values and null.

A text counts as a number if it is a number in JSON, as in Elasticsearch. Other values are skipped
and counted: other texts, booleans, lists, objects. NaN and infinity, which MessagePack and AMQP
have, are skipped too, and are never a result.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from flows.summaries.functions.function import Reducer, State

_read_number: Callable[[str], int | float] = msgspec.json.Decoder(int | float).decode


class Numeric(Reducer):
    """A function of numbers."""

    def _number(self, value: Any) -> int | float | None:
        """Return the value as a number; else `None`, counted as skipped unless it is empty."""
        if type(value) is float:
            if value - value == 0:
                return value
        elif type(value) is int:
            return value
        elif self._is_nothing(value):
            return None
        elif type(value) is str:
            try:
                return _read_number(value)
            except (msgspec.DecodeError, UnicodeEncodeError):
                pass
        self._unfit.count += 1
        return None


class Sum(Numeric):
    """The sum: exact for integers of any size; null if it does not fit into a float.

    The rounding error of floats is added up beside their sum (Knuth's two-sum), so that ten times
    0.1 is 1.0, and a million members have the same sum in any order.
    """

    fresh: ClassVar[tuple[Any, ...]] = (None, None, 0.0)
    """Sum of the integers; sum of the floats, and their rounding error."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        kind = type(value)
        # NaN and infinity minus themselves are not 0.
        if kind is not int and not (kind is float and value - value == 0):
            value = self._number(value)
            if value is None:
                return
        self._take(state, value)

    def _take(self, state: State, value: int | float) -> None:
        slot = self._slot
        if type(value) is int:
            known = state[slot]
            state[slot] = value if known is None else known + value
            return
        known = state[slot + 1]
        if known is None:
            state[slot + 1] = value
            return
        total = known + value
        taken = total - known
        state[slot + 1] = total
        state[slot + 2] += (known - (total - taken)) + (value - taken)

    @override
    def result(self, states: Sequence[State]) -> int | float | None:
        slot = self._slot
        integers = [state[slot] for state in states if state[slot] is not None]
        floats = [
            part
            for state in states
            if state[slot + 1] is not None
            for part in state[slot + 1 : slot + 3]
        ]
        if floats:
            return finite(lambda: math.fsum([*floats, sum(integers)]))
        return sum(integers) if integers else None


class Average(Sum):
    """The mean; always a float, because Elasticsearch maps the field by its first value."""

    fresh = (*Sum.fresh, 0)

    def _take(self, state: State, value: int | float) -> None:
        super()._take(state, value)
        state[self._slot + 3] += 1

    @override
    def result(self, states: Sequence[State]) -> float | None:
        total = super().result(states)
        count = sum(state[self._slot + 3] for state in states)
        return None if total is None else finite(lambda: total / count)


class Least(Numeric):
    """The smallest number."""

    _exceeds: Callable[[float, float], bool] = staticmethod(operator.lt)
    """(new, known) -> whether the new one replaces the known one."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        if type(value) is not int and (value := self._number(value)) is None:
            return
        known = state[self._slot]
        if known is None or self._exceeds(value, known):
            state[self._slot] = value

    @override
    def result(self, states: Sequence[State]) -> int | float | None:
        best: int | float | None = None
        for state in states:
            value = state[self._slot]
            if value is not None and (best is None or self._exceeds(value, best)):
                best = value
        return best


class Greatest(Least):
    """The largest number."""

    _exceeds = staticmethod(operator.gt)


def finite(calculate: Callable[[], float | None]) -> float | None:
    """Return the calculated value; `None` if no float holds it, because JSON has no infinity."""
    try:
        value = calculate()
    except (OverflowError, ValueError):  # `fsum` raises either of them for infinities
        return None
    return None if value is None or not math.isfinite(value) else value
