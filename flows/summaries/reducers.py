"""Reduces the members of a group on arrival: keeps running values, and computes the results.

Pure. The functions are in `flows/summaries/functions/`, which knows nothing of groups.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from flows.config.reduce import Reduction
from flows.summaries.functions.distinct import CountDistinct, Distinct
from flows.summaries.functions.function import Function, Reducer, State, Unfit
from flows.summaries.functions.merge import Merge
from flows.summaries.functions.numbers import Average, Greatest, Least, Sum
from flows.summaries.functions.values import Concat, Count, CountMembers, First, Last, ListValues
from flows.values.paths import parse

__all__ = ["NAMES", "Function", "Tally", "make_functions", "paths_of"]


class Tally:
    """Functions over the values of a group's members, each under a name."""

    def __init__(
        self, functions: Mapping[str, Function], positions: Mapping[Any, int] | None = None
    ) -> None:
        """`positions`: the position of each path among a member's values.

        Without them, the values are in the order of `paths_of(functions)`.

        Raises:
            ValueError: a function has no known name, or lacks its path or an option. The text says
                what to write.
        """
        if positions is None:
            positions = {path: position for position, path in enumerate(paths_of(functions))}
        self._unfit, self._reducers = Unfit(), dict[str, Reducer]()
        self._fresh: State = []
        for name, function in functions.items():
            position = -1 if function.path is None else positions[function.path]
            kind = _kind(function)
            self._reducers[name] = kind(function, len(self._fresh), position, self._unfit)
            self._fresh += kind.fresh
        self._adds = [reducer.add for reducer in self._reducers.values()]

    def start(self) -> State:
        """Return the state of a group without members."""
        return self._fresh.copy()

    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        """Add the values of a member; `number` is its number in the group, by arrival.

        Numbers may come in any order, but each only once.
        """
        for add in self._adds:
            add(state, values, number)

    def results(self, states: Sequence[State]) -> dict[str, Any]:
        """Return the results over all members that were added to any of these states.

        The states stay as they are. Neither their order nor the spread of the members over them
        changes a result.
        """
        return {name: reducer.result(states) for name, reducer in self._reducers.items()}

    @property
    def skipped(self) -> int:
        """Number of values skipped so far, because their function cannot use them."""
        return self._unfit.count


def make_functions(
    reduce: str | Mapping[str, Literal["count"] | Reduction] | None,
) -> Mapping[str, Function]:
    """Translate a spec's `reduce`; empty for a user function, which reads whole documents."""
    if not isinstance(reduce, Mapping):
        return {}
    return {
        name: Function("count")
        if one == "count"
        else Function(one.function, parse(one.path), one.q, one.separator)
        for name, one in reduce.items()
    }


def paths_of(functions: Mapping[str, Function]) -> list[Hashable]:
    """Return the paths that these functions read, each once."""
    return list(dict.fromkeys(f.path for f in functions.values() if f.path is not None))


def _kind(function: Function) -> type[Reducer]:
    if function.name not in NAMES:
        raise ValueError(f"there is no function {function.name}; there are {', '.join(NAMES)}")
    if function.path is None:
        if function.name == "count":
            return CountMembers
        raise ValueError(f"{function.name} needs a field: {{{function.name}: a.b}}")
    if function.name == "quantile":
        # The sketch is a package of its own: import it only if the spec uses it.
        from flows.summaries.functions.quantile import Quantile  # noqa: PLC0415

        return Quantile
    return _KINDS[function.name]


_KINDS: dict[str, type[Reducer]] = {
    "count": Count,
    "sum": Sum,
    "min": Least,
    "max": Greatest,
    "avg": Average,
    "first": First,
    "last": Last,
    "list": ListValues,
    "distinct": Distinct,
    "count_distinct": CountDistinct,
    "merge": Merge,
    "concat": Concat,
}
NAMES = (*_KINDS, "quantile")
"""The names of all functions, as the spec writes them."""
