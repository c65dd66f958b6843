"""How many values are sampled, and which."""

from __future__ import annotations

import pytest

from flows.tap.sampling import Allowance, spread


def test_so_many_samples_a_second_are_allowed() -> None:
    allowance = Allowance(rate=10, now=100.0)
    assert allowance.left(100.0) == 10

    allowance.use(10)

    assert [allowance.left(now) for now in (100.0, 100.05, 100.1, 100.55)] == [0, 0, 1, 5]
    assert allowance.left(200.0) == 10, "no more at once than in a second"


def test_a_clock_that_is_set_back_allows_nothing_more() -> None:
    allowance = Allowance(rate=10, now=100.0)
    allowance.use(10)

    assert allowance.left(50.0) == 0
    assert allowance.left(50.5) == 5


@pytest.mark.parametrize(("values", "count"), [(10, 3), (1000, 7), (5, 4), (3, 1), (11, 10)])
def test_a_sample_is_spread_over_all_values(values: int, count: int) -> None:
    for turn in range(12):
        chosen = spread(range(values), count, turn)

        assert len(set(chosen)) == count, turn
        assert chosen == sorted(chosen), turn
        longest = max(b - a for a, b in zip(chosen, [*chosen[1:], values], strict=True))
        assert longest <= values // count + 1 + values // count, turn


def test_each_value_is_chosen_in_some_turn() -> None:
    assert {spread(range(10), 1, turn)[0] for turn in range(10)} == {*range(10)}


def test_few_values_are_all_chosen() -> None:
    assert spread([1, 2], 2, 7) == [1, 2]
    assert spread([], 2, 7) == []
