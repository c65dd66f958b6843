"""How far event time has come: what is said, what is silent, and when it will have come further."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from flows.groups.watermark import Watermark


def test_the_smallest_of_the_largest_times_counts() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.note_progress("b", 70.0, now=0.0)
    stream.note_progress("b", 60.0, now=1.0)

    assert stream.at(2.0) == 70.0


def test_a_partition_that_was_never_heard_of_holds_back_until_it_is_idle() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=5.0)

    assert stream.at(34.9) == -inf
    stream.note_progress("a", 101.0, now=34.9)
    assert stream.at(35.0) == 101.0


def test_a_silent_partition_is_left_out() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("b", 50.0, now=0.0)
    stream.note_progress("a", 100.0, now=20.0)

    assert stream.at(29.9) == 50.0
    assert stream.at(30.0) == 100.0


def test_on_a_silent_stream_the_clock_moves_it_from_the_largest_time() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.note_progress("b", 50.0, now=10.0)

    assert stream.at(39.0) == 50.0
    assert stream.at(40.0) == 100.0
    assert stream.at(47.0) == 107.0


def test_it_never_goes_back() -> None:
    stream = Watermark(["a", "b"], idle_after=30.0)
    stream.note_progress("a", 100.0, now=0.0)
    stream.at(60.0)
    stream.note_progress("b", 50.0, now=61.0)

    assert stream.at(61.0) == stream.at(62.0) == 131.0


def test_nothing_heard_nothing_reached() -> None:
    stream = Watermark(["a"], idle_after=30.0)

    assert stream.at(100.0) == -inf
    assert stream.reaches(0.0) is None
    assert Watermark([], idle_after=30.0).at(5.0) == -inf


@given(
    heard=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(0, 60), st.sampled_from([0, 1, 4, 9, 10, 11, 25])
        ),
        min_size=1,
    ),
    wanted=st.integers(0, 100),
)
def test_what_it_says_it_will_reach_it_reaches_then_and_not_before(
    heard: list[tuple[str, int, int]], wanted: int
) -> None:
    """If nothing is heard any more."""
    stream, now = Watermark("abc", idle_after=10.0), 0
    for partition, at, pause in heard:
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
    told=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=8),
    kept_for=st.integers(1, 200),
)
def test_who_is_kept_waiting_holds_time_back_and_who_is_idle_does_not(
    told: list[tuple[int, int]], kept_for: int
) -> None:
    """A full consumer, `a`, has told some times; `b` tells what it likes, and then falls silent."""
    stream, now = Watermark("ab", idle_after=10.0), 0
    largest = max(at for at, _ in told)
    for at, of_other in told:
        stream.note_progress("a", at, now)
        stream.note_progress("b", of_other, now)

    for now in range(kept_for):
        stream.note_progress("a", -inf, now)
        assert stream.at(now) <= largest
    if kept_for > 10:
        assert stream.at(now) == largest  # `b` is idle
    assert stream.at(now + 9.9) <= largest
    assert stream.at(now + 30.0) > largest
