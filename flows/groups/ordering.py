"""Sorts the members of a group by a value of any type.

Pure. Numbers come first, then texts, then all other values, then members without the value. Members
that compare equal keep their order of arrival, and so do those of other types.
"""

from __future__ import annotations

from math import isnan
from typing import Any

from flows.values.group import ABSENT, Member


def in_order(members: list[Member], position: int) -> list[Member]:
    """Return the members sorted by the value at this position of `values`."""
    return sorted(members, key=lambda member: rank(member.values[position]))


def rank(value: Any) -> tuple[int, Any]:
    """Return the sort key of a value."""
    if isinstance(value, bool):
        return 2, 0
    if isinstance(value, float) and isnan(value):
        return 2, 0  # NaN compares with no number
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return (3, 0) if value is ABSENT else (2, 0)
