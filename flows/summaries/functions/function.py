"""The interface of all functions of `reduce`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, NamedTuple

from flows.values.group import ABSENT

State = list[Any]
"""The running values of all functions of a tally, side by side.

One flat list, because a million groups may be open: an object for each function of each group would
take more memory than its values.
"""


class Function(NamedTuple):
    """A function, as the spec declares it."""

    name: str
    path: Hashable | None = None
    """The path of the value that it reads; `None`: `count` needs none."""
    q: float | None = None
    """Of `quantile`: the rank, from 0 (the smallest value) to 1 (the largest)."""
    separator: str = ""
    """Of `concat`: the text between two texts."""


class Unfit:
    """Counts the values that a function skips because it cannot use them."""

    def __init__(self) -> None:
        self.count = 0


class Reducer(ABC):
    """A function that keeps its running value in some slots of a state.

    A group may have several states, one for each origin of its members. The result does not depend
    on the spread of the members over the states, nor on the order of the states.
    """

    fresh: ClassVar[tuple[Any, ...]] = (None,)
    """The initial values of its slots."""

    def __init__(self, function: Function, slot: int, position: int, unfit: Unfit) -> None:
        """Read the value at `position` of each member; own the slots from `slot` on.

        Raises:
            ValueError: an option is missing or invalid.
        """
        self._slot, self._position, self._unfit = slot, position, unfit

    @abstractmethod
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        """Add a member; `number` is its number in the group, by arrival."""

    @abstractmethod
    def result(self, states: Sequence[State]) -> Any:
        """Return the value over all members of these states, which stay as they are."""

    def _is_nothing(self, value: object) -> bool:
        return value is None or value is ABSENT
