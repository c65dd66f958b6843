"""How long messages have been unacknowledged, and when that is too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.rabbitmq.consumer_timeout import RESOLUTION, DeliveryAges


def test_the_age_is_that_of_the_oldest_open_message() -> None:
    ages = DeliveryAges(timeout=100.0)
    ages.delivered(10, now=0.0)
    ages.delivered(20, now=5.0)

    assert ages.oldest(1, now=7.0) == 7.0
    assert ages.oldest(10, now=7.0) == 7.0
    assert ages.oldest(11, now=7.0) == 2.0
    assert ages.oldest(None, now=8.0) == 0.0


def test_it_warns_at_half_of_the_timeout_and_requeues_at_nine_tenths() -> None:
    """It warns once, until a message is settled."""
    ages = DeliveryAges(timeout=100.0)
    moments = [49.0, 50.0, 60.0, 3.0, 55.0]

    assert [ages.is_worth_a_warning(age) for age in moments] == [False, True, False, False, True]
    assert [ages.is_overdue(age) for age in (89.0, 90.0)] == [False, True]


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 3), st.integers(0, 6)), max_size=50))
def test_the_age_is_at_most_a_second_too_large_and_never_too_small(
    moments: list[tuple[int, float, int]],
) -> None:
    """In any order of deliveries and outcomes; and the memory for it is bounded."""
    ages, now, arrived, first = DeliveryAges(timeout=1.0), 0.0, [0.0], 1
    for count, seconds, settled in moments:
        now += seconds
        arrived += [now] * count
        ages.delivered(len(arrived) - 1, now)
        first = min(first + settled, len(arrived))
        open_tag = first if first < len(arrived) else None
        age = ages.oldest(open_tag, now)
        if open_tag is None:
            assert age == 0.0
        else:
            assert now - arrived[open_tag] <= age <= now - arrived[open_tag] + RESOLUTION
