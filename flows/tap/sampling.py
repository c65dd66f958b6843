"""Decides how many values are sampled, and which.

Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Values(Protocol[T_co]):
    """Values that pass together."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> T_co: ...


class Allowance:
    """So many samples a second, and at most as many at once."""

    def __init__(self, rate: int, now: float) -> None:
        """`rate`: samples a second; `now`: in seconds."""
        self._rate, self._at, self._left = rate, now, float(rate)

    def left(self, now: float) -> int:
        """Return how many samples may be taken now."""
        passed = max(0.0, now - self._at)  # a clock that is set back gives nothing
        self._left = min(self._rate, self._left + passed * self._rate)
        self._at = now
        return int(self._left + _ROUNDING)

    def use(self, samples: int) -> None:
        """Note that so many are taken."""
        self._left -= samples


_ROUNDING = 1e-6
"""More than the error of the sums, which would make 0.9999999 of a sample."""


def spread(values: Values[T], count: int, turn: int) -> list[T]:
    """Choose at most `count` of the values, evenly spread, in their order.

    `turn`: a number that changes from call to call, so that not always the first one is chosen.
    """
    if len(values) <= count:
        return [*each(values)]
    step = len(values) / count
    offset = turn % int(step)
    return [values[offset + int(number * step)] for number in range(count)]


def each(values: Values[T]) -> Iterator[T]:
    """Yield all values, in their order."""
    return (values[number] for number in range(len(values)))
