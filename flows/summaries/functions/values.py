"""Functions of values of any type: `count`, `first`, `last`, `list` and `concat`.

They skip absent values; `concat`, which joins texts, skips null too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from typing_extensions import override

from flows.summaries.functions.function import Function, Reducer, State, Unfit
from flows.values.group import ABSENT


class CountMembers(Reducer):
    """The number of members."""

    fresh = (0,)

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        state[self._slot] += 1

    @override
    def result(self, states: Sequence[State]) -> int:
        return sum(state[self._slot] for state in states)


class Count(CountMembers):
    """The number of members that have the field; null is a value."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        if values[self._position] is not ABSENT:
            state[self._slot] += 1


class First(Reducer):
    """The value of the first member that has one."""

    fresh = (None, None)
    """The number of that member, and the value."""
    _precedes: Callable[[int, int], bool] = staticmethod(operator.lt)
    """(new, known) -> whether the member with the new number replaces the known one."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        if value is ABSENT:
            return
        known = state[self._slot]
        # Numbers do not only ascend: a duplicate that replaces a lost member has its number.
        if known is None or self._precedes(number, known):
            state[self._slot] = number
            state[self._slot + 1] = value

    @override
    def result(self, states: Sequence[State]) -> Any:
        best: tuple[int | None, Any] = None, None
        for state in states:
            number, value = state[self._slot : self._slot + 2]
            if number is not None and (best[0] is None or self._precedes(number, best[0])):
                best = number, value
        return best[1]


class Last(First):
    """The value of the last member that has one."""

    _precedes = staticmethod(operator.gt)


class ListValues(Reducer):
    """All values, in the order of arrival."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        if value is not ABSENT:
            self._keep(state, number, value)

    @override
    def result(self, states: Sequence[State]) -> Any:
        return list(self._in_order(states))

    def _keep(self, state: State, number: int, value: Any) -> None:
        # Numbers and values alternate: a tuple for each pair would take 56 bytes more.
        kept = state[self._slot]
        if kept is None:
            state[self._slot] = [number, value]
        else:
            kept += (number, value)

    def _in_order(self, states: Sequence[State]) -> Iterator[Any]:
        kept = [state[self._slot] for state in states if state[self._slot]]
        pairs = [pair for each in kept for pair in zip(each[::2], each[1::2], strict=True)]
        return (value for _, value in sorted(pairs, key=operator.itemgetter(0)))


class Concat(ListValues):
    """All texts joined; numbers and booleans as JSON writes them."""

    def __init__(self, function: Function, slot: int, position: int, unfit: Unfit) -> None:
        super().__init__(function, slot, position, unfit)
        self._separator = function.separator

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        if type(value) is str:
            self._keep(state, number, value)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            self._keep(state, number, msgspec.json.encode(value).decode())
        elif not self._is_nothing(value):
            self._unfit.count += 1

    @override
    def result(self, states: Sequence[State]) -> str | None:
        texts = list(self._in_order(states))
        return self._separator.join(texts) if texts else None
