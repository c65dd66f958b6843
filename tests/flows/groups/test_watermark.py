"""The watermark: event times, idle partitions, and when it will reach a time."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from flows.groups.watermark import Watermark


def test_the_watermark_is_the_smallest_of_the_largest_times() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.note_progress("b", 70.0, now=0.0)
    stream.note_progress("b", 60.0, now=1.0)

    assert stream.at(2.0) == 70.0


def test_a_partition_without_messages_holds_the_watermark_back_until_it_is_idle() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=5.0)

    assert stream.at(34.9) == -inf
    stream.note_progress("a", 101.0, now=34.9)
    assert stream.at(35.0) == 101.0


def test_an_idle_partition_does_not_hold_the_watermark_back() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("b", 50.0, now=0.0)
    stream.note_progress("a", 100.0, now=20.0)

    assert stream.at(29.9) == 50.0
    assert stream.at(30.0) == 100.0


def test_when_all_are_idle_the_clock_advances_it_from_the_largest_time() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.note_progress("b", 50.0, now=10.0)

    assert stream.at(39.0) == 50.0
    assert stream.at(40.0) == 100.0
    assert stream.at(47.0) == 107.0


def test_after_a_restart_it_is_behind_the_clock_as_before_until_an_event_time_is_known() -> None:
    before = Watermark(["a"], idle_after=30.0)
    before.note_progress("a", 100.0, now=500.0)
    after = Watermark(["a"], idle_after=30.0)
    after.lag_before = before.lag

    assert (after.at(600.0), after.reaches(300.0)) == (-inf, 730.0)
    assert after.at(629.9) == -inf
    assert after.at(630.0) == before.at(630.0) == 200.0
    after.note_progress("a", 640.0, now=640.0)
    assert after.at(640.0) == 640.0


def test_it_never_goes_back() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.at(60.0)
    stream.note_progress("b", 50.0, now=61.0)

    assert stream.at(61.0) == stream.at(62.0) == 131.0


def test_without_messages_there_is_no_watermark() -> None:
    stream = Watermark(["a"], idle_after=30.0)

    assert stream.at(100.0) == -inf
    assert stream.reaches(0.0) is None
    assert Watermark([], idle_after=30.0).at(5.0) == -inf


@given(
    arrivals=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(0, 60), st.sampled_from([0, 1, 4, 9, 10, 11, 25])
        ),
        min_size=1,
    ),
    wanted=st.integers(0, 100),
)
def test_it_reaches_a_time_at_the_predicted_moment(
    arrivals: list[tuple[str, int, int]], wanted: int
) -> None:
    """If no further message arrives."""
    stream, now = Watermark("abc", idle_after=10.0), 0
    for partition, at, pause in arrivals:
        now += pause
        stream.note_progress(partition, at, now)
    come_to = stream.at(now)

    reaches = stream.reaches(wanted)

    assert reaches is not None
    if come_to >= wanted:
        assert reaches == now
    else:
        assert stream.at(reaches - 0.25) < wanted <= stream.at(reaches)


@given(
    times=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=8),
    kept_for=st.integers(1, 200),
)
def test_a_full_consumer_holds_it_back_and_an_idle_one_does_not(
    times: list[tuple[int, int]], kept_for: int
) -> None:
    """A full consumer `a` has delivered some times; `b` delivers more, and then becomes idle."""
    stream, now = Watermark("ab", idle_after=10.0), 0
    largest = max(at for at, _ in times)
    for at, of_other in times:
        stream.note_progress("a", at, now)
        stream.note_progress("b", of_other, now)

    for now in range(kept_for):
        stream.note_progress("a", -inf, now)
        assert stream.at(now) <= largest
    if kept_for > 10:
        assert stream.at(now) == largest  # `b` is idle
    assert stream.at(now + 9.9) <= largest
    assert stream.at(now + 30.0) > largest
