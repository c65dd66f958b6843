"""`quantile`: the number that a given share of all numbers does not exceed, in bounded memory.

A few numbers are kept as they are, and the result is exact. More go into a DDSketch, whose relative
error is at most `MAX_ERROR`. It only counts, and other than KLL or t-digest it uses no randomness:
the result is the same in any order, and over any number of states.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from math import ceil
from typing import Any

from ddsketch import LogCollapsingLowestDenseDDSketch as Sketch
from typing_extensions import override

from flows.summaries.functions.function import Function, State, Unfit
from flows.summaries.functions.numbers import Numeric, finite

MAX_EXACT = 128
"""A list of this many numbers takes as much memory as a sketch of them."""
MAX_ERROR = 0.01
"""DDSketch's own default."""


class Quantile(Numeric):
    """The quantile by nearest rank, so never a value between two.

    Always a float, because Elasticsearch maps the field by its first value.
    """

    def __init__(self, function: Function, slot: int, position: int, unfit: Unfit) -> None:
        super().__init__(function, slot, position, unfit)
        if function.q is None or not 0 <= function.q <= 1:
            raise ValueError("quantile needs q, a number from 0 to 1, such as q: 0.99")
        self._q = Fraction(str(function.q))  # exact: 0.07 * 100 is 7, but not in floats

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = self._number(values[self._position])
        if value is None:
            return
        try:
            value = float(value)
        except OverflowError:
            self._unfit.count += 1
            return
        kept = state[self._slot]
        if kept is None:
            state[self._slot] = [value]
        elif isinstance(kept, Sketch):
            kept.add(value)
        else:
            kept.append(value)
            if len(kept) > MAX_EXACT:
                state[self._slot] = _sketch(kept)

    @override
    def result(self, states: Sequence[State]) -> float | None:
        kept = [state[self._slot] for state in states if state[self._slot] is not None]
        sketches = [each for each in kept if isinstance(each, Sketch)]
        numbers: list[float] = list(
            chain.from_iterable(each for each in kept if isinstance(each, list))
        )
        count = len(numbers) + sum(int(sketch.num_values) for sketch in sketches)
        if count == 0:
            return None
        rank = max(ceil(self._q * count) - 1, 0)
        if count <= MAX_EXACT:
            return sorted(numbers)[rank]
        whole = _sketch(numbers)
        for sketch in sketches:
            whole.merge(sketch)
        # Aim a quarter beyond the rank, so that rounding never leads to the rank before.
        share = min((rank + 0.25) / (count - 1), 1.0)
        return finite(lambda: whole.get_quantile_value(share))


def _sketch(numbers: Sequence[float]) -> Sketch:
    sketch = Sketch(MAX_ERROR)
    for number in numbers:
        sketch.add(number)
    return sketch
