"""`merge`: one object out of the members' objects, field by field, the last value of each.

A merge depends on the order of members, and members of several origins come in turns. So every
field remembers the number of the member that it is from: then states can be put together after
the fact, and nothing is kept of what was overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from flows.summaries.functions.function import Reducer, State
from flows.values.group import ABSENT

MAX_DEPTH = 20
"""Objects below are not merged, the last one wins: Elasticsearch takes no deeper ones (its
`index.mapping.depth.limit`), and a message nested without end must not exhaust the stack."""


class Merge(Reducer):
    """Objects merged in the order in which they came; null and absent are nothing to merge.

    Within an object, null is a value. Where not both are objects, the later one takes the place
    of the earlier one.
    """

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        if type(value) is dict:
            if state[self._slot] is None:
                state[self._slot] = _MergedField()
            state[self._slot].put(value, number, 0)
        elif not self._is_nothing(value):
            self._unfit.count += 1

    @override
    def result(self, states: Sequence[State]) -> dict[str, Any] | None:
        fields = [state[self._slot] for state in states if state[self._slot] is not None]
        return _merged(fields, _NEVER) if fields else None


class _MergedField:
    """What members said of a field: the last value that is no object, and all objects since."""

    __slots__ = ("fields", "opened_by", "set_by", "value")

    def __init__(self) -> None:
        self.value: Any = ABSENT
        self.set_by = _NEVER
        """Number of the member that the value is from."""
        self.fields: dict[str, _MergedField] | None = None
        self.opened_by = _NEVER
        """Number of the last member that has an object here."""

    def put(self, value: Any, number: int, depth: int) -> None:
        if type(value) is dict and depth < MAX_DEPTH:
            self.opened_by = max(self.opened_by, number)
            if self.fields is None:
                self.fields = {}
            for name, inner in value.items():
                field = self.fields.get(name)
                if field is None:
                    field = self.fields[name] = _MergedField()
                field.put(inner, number, depth + 1)
        elif number > self.set_by:
            self.value, self.set_by = value, number
            if number > self.opened_by:
                self.fields = None


def _merged(said: Sequence[_MergedField], overwritten_by: int) -> Any:
    """What a field is in the end; what came before the member `overwritten_by` is void."""
    last = max(said, key=lambda field: field.set_by)
    opened_by = max(field.opened_by for field in said)
    if opened_by <= max(last.set_by, overwritten_by):
        return last.value if last.set_by > overwritten_by else ABSENT
    overwritten_by = max(last.set_by, overwritten_by)
    by_name: dict[str, list[_MergedField]] = {}
    for field in said:
        for name, inner in (field.fields or {}).items():
            by_name.setdefault(name, []).append(inner)
    merged = {name: _merged(inner, overwritten_by) for name, inner in by_name.items()}
    return {name: value for name, value in merged.items() if value is not ABSENT}


_NEVER = -1
