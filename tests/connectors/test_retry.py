"""When to try again after a failure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.retry import Backoff


def test_the_largest_delay_doubles_with_each_attempt() -> None:
    backoff = Backoff(0.5, 30.0)

    bounds = [backoff.delay(attempt, 1.0) for attempt in range(8)]

    assert bounds == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_jitter_is_full() -> None:
    """Every delay between zero and the largest one is equally likely."""
    backoff = Backoff(1.0, 30.0)

    delays = [backoff.delay(3, share) for share in (0.0, 0.25, 0.5, 1.0)]

    assert delays == [0.0, 2.0, 4.0, 8.0]


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_an_outage_may_last_for_ever(attempt: int, share: float) -> None:
    assert 0.0 <= Backoff(0.1, 5.0).delay(attempt, share) <= 5.0
