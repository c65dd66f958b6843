"""What every function of `reduce` promises; it knows none of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, NamedTuple

from flows.values.group import ABSENT

State = list[Any]
"""The running values of all functions of a tally, side by side.

One flat list, because there may be a million groups open: an object for each function of each
group would cost more than what it holds.
"""


class Function(NamedTuple):
    """A function as the spec says it."""

    name: str
    path: Hashable | None = None
    """Which of the members' values it takes; `count` does without."""
    q: float | None = None
    """Of `quantile`: which one, from 0 (the least value) to 1 (the greatest)."""
    separator: str = ""
    """Of `concat`: what stands between two texts."""


class Unfit:
    """Counts the values that a function had to pass over, for they were of no use to it."""

    def __init__(self) -> None:
        self.count = 0


class Reducer(ABC):
    """A function whose running value lies in some slots of a state.

    There may be several states for one group, one for each origin of its members: the result is
    the same for any spread of the members over the states, and in any order of these
    are given.
    """

    fresh: ClassVar[tuple[Any, ...]] = (None,)
    """What its slots hold in the beginning."""

    def __init__(self, function: Function, slot: int, position: int, unfit: Unfit) -> None:
        """Take the value at `position` of each member; own the slots from `slot` on.

        Raises:
            ValueError: an option is missing, or cannot be.
        """
        self._slot, self._position, self._unfit = slot, position, unfit

    @abstractmethod
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        """Take in a member: the one that came to its group as number `number`."""

    @abstractmethod
    def result(self, states: Sequence[State]) -> Any:
        """The value of all that was added to any of the states, which stay as they are."""

    def _is_nothing(self, value: object) -> bool:
        return value is None or value is ABSENT
