"""Aligned windows: which window a time belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.groups.rules import Rules, Tumbling
from flows.groups.windows import Windows
from flows.values.group import Progress
from tests.flows.members import member


def windows(every: float, **fields: Any) -> Windows:
    tumbling = Tumbling(every, by_event=True, **fields)
    return Windows(tumbling, Rules(tumbling=tumbling, partitions=["p"]))


@given(number=st.integers(-(10**7), 10**12), every=st.sampled_from([1, 5, 100, 250, 1000, 60_000]))
def test_a_window_begins_with_its_first_millisecond(number: int, every: int) -> None:
    """A tenth of a second has no exact number, but rounding never moves a message."""
    found = windows(every / 1000)
    at = number / 1000

    window = found.of(member(1, at=at), 0.0)

    assert window == number // every
    assert found.span(window)[0] <= at < found.span(window)[1]


def test_windows_continue_before_1970() -> None:
    assert windows(60.0).of(member(1, at=-1.0), 0.0) == -1


def test_a_message_without_a_time_counts_by_its_arrival() -> None:
    """It is parked before it gets here; if it were not, it would not be lost."""
    assert windows(60.0).of(member(1), 120.0) == 2


@pytest.mark.parametrize(
    ("at", "closed_below"), [(69.999999, 0), (70.0, 1), (129.9, 1), (130.0, 2), (130.000001, 2)]
)
def test_a_window_closes_exactly_at_its_end_plus_lateness(at: float, closed_below: int) -> None:
    found = windows(60.0, lateness=10.0)

    found.note_progress(Progress("p", at), 0.0)
    found.advance(0.0)

    assert found.closed_below == closed_below
