"""When a message happened, as it says itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.fields.event_time import event_time
from flows.group import ABSENT

FIRST, END = (
    (moment - datetime(1970, 1, 1)).total_seconds() for moment in (datetime.min, datetime.max)
)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T14:00:00+0200",
        "2026-01-31T14:00:00+02",
        "2026-01-31T14:00:00 +0200",
        "2026-01-31 06:30:00-05:30",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00",
        "2026-01-31T14:00+02",
        "2026-01-31T12:00:00,0Z",
        "2026-01-31T12:00:00-00:00",
    ],
)
def test_a_text_is_rfc_3339_and_what_people_make_of_it(text: str) -> None:
    assert event_time(text) == NOON


def test_a_date_alone_is_its_midnight_in_utc() -> None:
    assert event_time("2026-01-31") == NOON - 12 * 3600


@pytest.mark.parametrize(
    ("fraction", "seconds"),
    [(".5", 0.5), (".123", 0.123), (".123456", 0.123456), (".123456789", 0.123457), (",25", 0.25)],
)
def test_fractions_of_a_second_count_to_the_microsecond(fraction: str, seconds: float) -> None:
    assert event_time(f"2026-01-31T12:00:00{fraction}Z") == pytest.approx(NOON + seconds, abs=1e-6)


def test_a_leap_second_is_the_one_after() -> None:
    assert event_time("2016-12-31T23:59:60Z") == event_time("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        (NOON, NOON),
        (int(NOON), NOON),
        (NOON + 0.25, NOON + 0.25),
        (int(NOON) * 1000, NOON),
        (NOON * 1000 + 250, NOON + 0.25),
        (0, 0.0),
        (-1, -1.0),
        (1e11, 1e11),
        (1e11 + 1000, 1e8 + 1),
        (-1e11 - 1000, -1e8 - 1),
    ],
)
def test_a_number_is_seconds_or_milliseconds_above_1e11(number: float, seconds: float) -> None:
    found = event_time(number)

    assert found == seconds
    assert isinstance(found, float)


@pytest.mark.parametrize(
    "value",
    [
        None,
        ABSENT,
        True,
        False,
        "",
        "yesterday",
        "1767225600",
        "2026",
        "2026-13-01",
        "2026-02-30",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00+99:00",
        "2026-01-31T12:00:00Z and more",
        "31.01.2026",
        "0000-01-01",
        "\uff12026-01-31",
        float("nan"),
        float("inf"),
        -float("inf"),
        1e300,
        10**400,
        -(10**400),
        [NOON],
        {"at": NOON},
    ],
)
def test_what_cannot_be_read_is_none(value: object) -> None:
    """It never ends the job; the message is parked."""
    assert event_time(value) is None


@given(
    st.datetimes(),
    st.none() | st.integers(-23 * 60, 23 * 60),
)
def test_any_time_that_python_writes_is_read_as_that_time(
    moment: datetime, minutes: int | None
) -> None:
    offset = None if minutes is None else timezone(timedelta(minutes=minutes))
    text = moment.replace(tzinfo=offset).isoformat()
    in_utc = (moment - datetime(1970, 1, 1)).total_seconds() - 60 * (minutes or 0)

    if FIRST <= in_utc < END:
        assert event_time(text) == in_utc
    else:
        assert event_time(text) is None


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    event_time(text)


@given(st.integers() | st.floats())
def test_a_number_is_a_time_that_can_be_written(number: float) -> None:
    """Of the years 1 to 9999: windows are written as RFC 3339."""
    seconds = event_time(number)

    if seconds is not None:
        datetime(1970, 1, 1) + timedelta(seconds=seconds)
