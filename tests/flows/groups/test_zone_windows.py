"""Windows by the clock of a time zone, over changes of all kinds."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.message import Rejection
from flows.groups.rules import Rules, Tumbling
from flows.groups.shard import Shard
from flows.groups.zone_windows import ZoneWindows
from flows.values.group import Group, Progress
from tests.flows.members import member, shape

MINUTE, HOUR, DAY = 60, 3600, 86_400
ZONES = (
    "Europe/Berlin",
    "America/Sao_Paulo",  # until 2018 the clock changed at midnight, which did not exist then
    "America/Havana",  # midnight comes twice
    "America/St_Johns",  # from 1987 to 2011 at one minute after midnight, back to the day before
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # without 30 December 2011
    "America/Juneau",  # 18 October 1867 came twice
    "Asia/Kathmandu",
    "Africa/Monrovia",  # 44 minutes and 30 seconds, until 1972
    "UTC",
)
LENGTHS = (15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY)
zones, lengths = st.sampled_from(ZONES), st.sampled_from(LENGTHS)
moments = st.one_of(
    st.integers(-3_250_000_000, 4_200_000_000),  # from 1867 to 2103
    st.integers(-62_135_596_800, 253_402_300_799),  # the years 1 to 9999
)


@cache
def changes(zone: str) -> list[int]:
    """Return the hours, in seconds since 1970, before a change of the local clock."""
    since, until = (1867, 1868) if zone == "America/Juneau" else (1980, 2040)
    known, found = ZoneInfo(zone), []
    before = None
    start = int(datetime(since, 1, 1, tzinfo=UTC).timestamp())
    for hour in range(start, int(datetime(until, 1, 1, tzinfo=UTC).timestamp()), 6 * HOUR):
        offset = datetime.fromtimestamp(hour, known).utcoffset()
        if before is not None and offset != before:
            found.append(hour - 6 * HOUR)
        before = offset
    return found


def windows(zone: str, every: int) -> ZoneWindows:
    return ZoneWindows(zone, every * 1_000_000)


def local(zone: str, moment: int) -> datetime:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def starts_of(zone: str, every: int, first: str, last: str) -> list[str]:
    """Return the starts of windows in UTC, from one time to another, which are in UTC too."""
    found, of = [], windows(zone, every)
    at, end = (
        round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000
        for text in (first, last)
    )
    at = of.window_at(at)
    while at <= end:
        found.append(f"{datetime.fromtimestamp(at / 1e6, UTC):%m-%d %H:%M}")
        at = of.end(at)
    return found


@given(zone=zones, every=lengths, second=moments, microsecond=st.integers(0, 999_999))
def test_windows_of_a_zone_partition_time(
    zone: str, every: int, second: int, microsecond: int
) -> None:
    of, moment = windows(zone, every), second * 1_000_000 + microsecond

    window = of.window_at(moment)

    assert window <= moment < of.end(window)
    assert of.window_at(window) == window
    assert of.window_at(of.end(window) - 1) == window
    assert of.window_at(of.end(window)) == of.end(window)


@given(zone=zones, every=lengths, second=moments)
def test_windows_that_are_computed_in_another_order_are_the_same(
    zone: str, every: int, second: int
) -> None:
    one, other, moment = windows(zone, every), windows(zone, every), second * 1_000_000
    ahead = one.window_at(moment)
    for _ in range(3):
        ahead = one.end(ahead)

    behind = ahead
    for _ in range(3):
        behind = other.window_at(behind - 1)

    assert behind == one.window_at(moment)


@pytest.mark.parametrize("zone", ZONES)
def test_each_window_of_days_begins_when_the_local_clock_first_shows_midnight(zone: str) -> None:
    of = windows(zone, DAY)
    for change in changes(zone) or [0]:
        window = of.window_at((change - 2 * DAY) * 1_000_000)
        for _ in range(5):
            begins, before = local(zone, window), local(zone, window - 1)
            midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
            came_twice = begins == midnight and before.time() > midnight.time() < before.time()
            assert before < midnight <= begins or came_twice, (zone, begins, before)
            assert begins == midnight or begins - before > timedelta(minutes=1)  # put forward
            window = of.end(window)


@given(zone=zones, weeks=st.integers(-20, 3000))
def test_weeks_begin_on_monday(zone: str, weeks: int) -> None:
    of = windows(zone, 7 * DAY)

    begins = local(zone, of.window_at(weeks * 7 * DAY * 1_000_000))

    assert begins.weekday() == 0 or zone == "Pacific/Apia"
    assert begins.hour < 2


def test_a_day_has_23_or_25_hours_when_the_clock_changes() -> None:
    assert starts_of("Europe/Berlin", DAY, "2026-03-28T00:00", "2026-03-31T00:00") == [
        "03-27 23:00",
        "03-28 23:00",
        "03-29 22:00",
        "03-30 22:00",
    ]
    assert starts_of("Europe/Berlin", DAY, "2026-10-24T12:00", "2026-10-26T12:00") == [
        "10-23 22:00",
        "10-24 22:00",
        "10-25 23:00",
    ]


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    assert starts_of("Europe/Berlin", HOUR, "2026-10-24T23:30", "2026-10-25T02:00") == [
        "10-24 23:00",
        "10-25 00:00",  # 02:00
        "10-25 01:00",  # 02:00 again
        "10-25 02:00",
    ]


def test_a_window_over_a_change_is_longer_or_shorter() -> None:
    """Windows of six hours begin at 0, 6, 12 and 18 o'clock on each day."""
    assert starts_of("Europe/Berlin", 6 * HOUR, "2026-10-24T22:00", "2026-10-25T11:00") == [
        "10-24 22:00",
        "10-25 05:00",
        "10-25 11:00",
    ]
    assert starts_of("Europe/Berlin", 2 * HOUR, "2026-03-29T00:00", "2026-03-29T03:00") == [
        "03-28 23:00",
        "03-29 01:00",  # at 03:00, since 02:00 does not exist
        "03-29 02:00",  # 04:00
    ]


def test_a_day_that_does_not_exist_has_no_window() -> None:
    assert starts_of("Pacific/Apia", DAY, "2011-12-29T12:00", "2011-12-31T12:00") == [
        "12-29 10:00",  # 29 December
        "12-30 10:00",  # 31 December
        "12-31 10:00",
    ]


def test_the_watermark_closes_a_day_at_local_midnight() -> None:
    zone = windows("Europe/Berlin", DAY)
    tumbling = Tumbling(float(DAY), by_event=True, lateness=10.0, zone=zone)
    shard = Shard(Rules(tumbling=tumbling, partitions=["p"]))
    midnight = datetime(2026, 3, 29, 22, tzinfo=UTC).timestamp()
    now = midnight

    shard.add([member(1, at=midnight - 1), member(2, at=midnight)], now)
    assert shard.note_progress(Progress("p", midnight + 9.9), now) == []
    left = shard.note_progress(Progress("p", midnight + 10), now)

    assert shape(left) == [("window", [1])]
    [group] = [one for one in left if isinstance(one, Group)]
    assert group.end - group.start == 23 * HOUR
    assert group.end == midnight
    late = shard.add([member(3, at=midnight - 1)], now)
    assert [one.rejected[0].rejection for one in late] == [  # type: ignore[union-attr]
        Rejection("late: its window is closed", foreseen=True)
    ]


def test_the_clock_closes_a_day_of_a_zone() -> None:
    shard = Shard(Rules(tumbling=Tumbling(float(DAY), zone=windows("Asia/Kathmandu", DAY))))
    midnight = datetime(2026, 1, 1, 18, 15, tzinfo=UTC).timestamp()

    shard.add([member(1)], midnight - 60)

    assert shard.due_at == midnight
    assert shape(shard.complete_due(midnight)) == [("window", [1])]


def test_starts_are_computed_once_for_a_day_of_utc() -> None:
    of, starts = windows("Europe/Berlin", HOUR), list[int]()
    for second in range(0, 10 * DAY, 60):
        starts.append(of.window_at(second * 1_000_000))

    assert of._starts.cache_info().misses == 10
    assert starts == sorted(starts)
    assert bisect_right(starts, 0) == 60
