"""A shard receives the watermark at the message at which it closes a window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.message import Message, Origin
from flows.groups.rules import Rules, Tumbling
from flows.groups.watermark_progress import WatermarkGenerator
from flows.groups.windows import Windows
from flows.values.group import FullMember, Member

ORIGIN = Origin("q/000", 1)
START = 1_767_348_000.0


def member(at: float | None) -> Member:
    return FullMember(ORIGIN, Message(1, False, b"", b"", b"{}"), b"{}", None, None, at=at)


@given(
    times=st.lists(st.integers(0, 60).map(lambda tenths: START + tenths * 0.1), max_size=20),
    every=st.sampled_from([0.1, 0.3, 0.7, 1.0, 1.1]),
    lateness=st.sampled_from([0.0, 0.1, 0.2, 0.7]),
)
def test_progress_is_reported_between_two_messages_where_a_window_closes(
    times: list[float], every: float, lateness: float
) -> None:
    """Also where a tenth has no exact binary number."""
    tumbling = Tumbling(every, by_event=True, lateness=lateness, ahead=1e9)
    windows = Windows(tumbling, Rules(tumbling=tumbling, partitions=["q/000"]))
    progress = dict(WatermarkGenerator(tumbling).of("q/000", [member(at) for at in times], START))

    for position in range(1, len(times) + 1):
        if position in progress:
            windows.note_progress(progress[position], START)
            windows.advance(START)
        assert windows.closed_below == tumbling.closed_below(max(times[:position]))


def test_a_time_too_far_ahead_does_not_move_the_watermark() -> None:
    course = WatermarkGenerator(Tumbling(1.0, by_event=True, ahead=60.0))

    assert [*course.of("q/000", [member(START + 61), member(None)], START)] == []
    assert [p for p, _ in course.of("q/000", [member(START), member(START + 60)], START)] == [
        1,
        2,
        2,
    ]


def test_times_too_far_ahead_are_counted() -> None:
    course = WatermarkGenerator(Tumbling(1.0, by_event=True, ahead=60.0))
    times = [START + 61, None, START, START + 3600]

    for partition in ("q/000", "q/001"):
        list(course.of(partition, [member(at) for at in times], START))

    assert course.ahead == 4
