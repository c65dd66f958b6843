"""The order of members is the same for any values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flows.groups.ordering import in_order
from flows.values.group import ABSENT
from tests.flows.members import member

VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.just(ABSENT)
    | st.lists(st.integers(), max_size=2)
    | st.just({})
)


def sorted_values(*values: Any) -> list[Any]:
    members = [member(tag, values=(value,)) for tag, value in enumerate(values)]
    return [one.values[0] for one in in_order(members, 0)]


def test_numbers_come_first_then_texts_then_other_values_then_nothing() -> None:
    assert sorted_values(ABSENT, True, "10", None, 10, "9", 9.5, 9, [1]) == [
        *(9, 9.5, 10),
        *("10", "9"),
        *(True, None, [1]),
        ABSENT,
    ]


def test_nan_and_booleans_are_not_among_the_numbers() -> None:
    """NaN is neither above nor below a number, so it would break the order; true is not 1."""
    assert sorted_values(3, float("nan"), 1, True, 2)[:3] == [1, 2, 3]


def test_large_numbers_are_exact() -> None:
    assert sorted_values(10**400, 2**63 + 1, 2**63, 2.0**62) == [2.0**62, 2**63, 2**63 + 1, 10**400]


@given(st.lists(VALUES, max_size=6))
def test_any_values_can_be_sorted_and_equal_ones_keep_their_order(values: list[Any]) -> None:
    members = [member(tag, values=(value,)) for tag, value in enumerate(values)]

    once = in_order(members, 0)

    assert sorted(once, key=lambda one: one.message.tag) == members
    assert in_order(once, 0) == once
    texts = [one.values[0] for one in once if isinstance(one.values[0], str)]
    assert texts == sorted(texts)
