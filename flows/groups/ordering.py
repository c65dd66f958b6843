"""Sorts the members of a group by a value of theirs, of any type.

Pure. Numbers come first, as numbers; then texts; then all other values, and last the members
that have no such value. Equal ones stay as they came, and so do those that have no order.
"""

from __future__ import annotations

from math import isnan
from typing import Any

from flows.values.group import ABSENT, Member


def in_order(members: list[Member], position: int) -> list[Member]:
    """The members by the value at this position of their values."""
    return sorted(members, key=lambda member: rank(member.values[position]))


def rank(value: Any) -> tuple[int, Any]:
    """What values are sorted by."""
    if isinstance(value, bool):
        return 2, 0
    if isinstance(value, float) and isnan(value):
        return 2, 0  # it is neither above nor below any number
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return (3, 0) if value is ABSENT else (2, 0)
