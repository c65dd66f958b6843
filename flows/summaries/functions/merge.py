"""`merge`: one object from the members' objects, with the last value of each field.

A merge depends on the order of members, and members of several origins alternate. So every field
keeps the number of the member that set it: then states can be merged later, and overwritten values
need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from flows.summaries.functions.function import Reducer, State
from flows.values.group import ABSENT

MAX_DEPTH = 20
"""Deeper objects are not merged: the last one wins. Elasticsearch accepts none (its
`index.mapping.depth.limit`), and a deeply nested message must not exhaust the stack."""


class Merge(Reducer):
    """Objects merged in the order of arrival; a null or absent one is skipped.

    Within an object, null is a value. If one of two values is no object, the later one replaces the
    earlier one.
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
    """The state of a field: its last value that is no object, and all objects since."""

    __slots__ = ("fields", "opened_by", "set_by", "value")

    def __init__(self) -> None:
        self.value: Any = ABSENT
        self.set_by = _NEVER
        """Number of the member that set the value."""
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


def _merged(states: Sequence[_MergedField], overwritten_by: int) -> Any:
    """Return the final value of a field; members before number `overwritten_by` do not count."""
    last = max(states, key=lambda field: field.set_by)
    opened_by = max(field.opened_by for field in states)
    if opened_by <= max(last.set_by, overwritten_by):
        return last.value if last.set_by > overwritten_by else ABSENT
    overwritten_by = max(last.set_by, overwritten_by)
    by_name: dict[str, list[_MergedField]] = {}
    for field in states:
        for name, inner in (field.fields or {}).items():
            by_name.setdefault(name, []).append(inner)
    merged = {name: _merged(inner, overwritten_by) for name, inner in by_name.items()}
    return {name: value for name, value in merged.items() if value is not ABSENT}


_NEVER = -1
