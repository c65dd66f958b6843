"""Times, as people and programs write them."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.times import read_time

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
        "2026-01-31T12Z",
        "2026-01-31t12:00:00.000000000000z",
        "2026-01-31 12:00:00 UTC",
        "2026-01-31 12:00:00 GMT",
        "2026-01-31 13:00:00 +0100 CET",
        "2026-01-31T13:00:00+01:00[Europe/Berlin]",
        " 2026-01-31T12:00:00Z\n",
        "20260131T120000Z",
        "20260131T130000+0100",
        "20260131 1200",
        "20260131120000",
    ],
)
def test_a_text_is_rfc_3339_or_a_common_variant(text: str) -> None:
    assert read_time(text) == NOON


@pytest.mark.parametrize("text", ["2026-01-31", "20260131", "2026-01-31Z", "2026-01-31+00:00"])
def test_a_date_alone_is_its_midnight_in_utc(text: str) -> None:
    assert read_time(text) == NOON - 12 * 3600


def test_the_time_format_of_pythons_log_is_read() -> None:
    record = logging.makeLogRecord({"created": NOON + 0.123, "msecs": 123.0})
    formatter = logging.Formatter("%(asctime)s")
    formatter.converter = time.gmtime

    assert read_time(formatter.format(record)) == NOON + 0.123


@pytest.mark.parametrize(
    ("fraction", "seconds"),
    [(".5", 0.5), (".123", 0.123), (".123456", 0.123456), (".123456789", 0.123457), (",25", 0.25)],
)
def test_fractions_of_a_second_count_to_the_microsecond(fraction: str, seconds: float) -> None:
    assert read_time(f"2026-01-31T12:00:00{fraction}Z") == pytest.approx(NOON + seconds, abs=1e-6)


def test_a_fraction_may_have_any_length() -> None:
    assert read_time(f"2026-01-31 12:00:00,5{'0' * 40}") == NOON + 0.5


def test_a_leap_second_is_the_next_second() -> None:
    assert read_time("2016-12-31T23:59:60Z") == read_time("2017-01-01T00:00:00Z")


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
        (int(NOON) * 10**6 + 250_000, NOON + 0.25),
        (int(NOON) * 10**9 + 250_000_000, NOON + 0.25),
        (NOON * 1e9, NOON),
        (1e14 + 1, 1e8),
        (1e17 + 100, 1e8),
    ],
)
def test_a_number_has_the_unit_of_its_magnitude(number: float, seconds: float) -> None:
    """Seconds up to 1e11, which is the year 5138; then milliseconds up to that year, and so on."""
    found = read_time(number)

    assert found == pytest.approx(seconds, abs=2e-6)
    assert isinstance(found, float)
    assert read_time(str(number)) == read_time(f" {number} ") == found


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (datetime.fromtimestamp(NOON, UTC), NOON),
        (datetime(2026, 1, 31, 12), NOON),
        (Decimal("1769860800.5"), NOON + 0.5),
    ],
)
def test_a_header_may_have_a_time_or_a_decimal(value: object, seconds: float) -> None:
    assert read_time(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        object(),
        True,
        False,
        "",
        "yesterday",
        "2026",
        "202601",
        "20261331",
        "20260131T12:00",
        "2026-01-31T12:00.5Z",
        "2026-01-31T12:00:00[Europe/Berlin]",
        "1" * 1000,
        "1e400",
        "0x10",
        "1_000_000_000",
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
def test_an_invalid_time_is_none(value: object) -> None:
    """It never ends the job; the message is parked."""
    assert read_time(value) is None


@given(
    st.datetimes(),
    st.none() | st.integers(-23 * 60, 23 * 60),
)
def test_every_time_that_python_writes_is_read(moment: datetime, minutes: int | None) -> None:
    offset = None if minutes is None else timezone(timedelta(minutes=minutes))
    text = moment.replace(tzinfo=offset).isoformat()
    in_utc = (moment - datetime(1970, 1, 1) - timedelta(minutes=minutes or 0)).total_seconds()

    if FIRST <= in_utc < END:
        assert read_time(text) == in_utc
    else:
        assert read_time(text) is None


@given(st.integers(10**9, 10**11), st.integers(0, 999), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_a_moment_is_the_same_in_every_unit(second: int, fraction: int, unit: int) -> None:
    """As a number, and as its text; milliseconds are exact in all units.

    But a text of 14 digits may be a day and its time.
    """
    exact = second * 1000 + (fraction if second < 10**11 else 0)
    number = exact * (unit // 1000) if unit > 1 else exact / 1000
    found = read_time(number)

    assert found is not None
    assert round(found * 1000) == exact
    if len(str(number)) != 14:
        assert read_time(str(number)) == found


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31)),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from("Tt "),
    st.sampled_from(".,"),
    st.sampled_from([":", ""]),
    st.sampled_from(["", " "]),
)
def test_a_moment_is_the_same_in_every_spelling(
    moment: datetime, minutes: int, between: str, point: str, colon: str, blank: str
) -> None:
    """What is read is what was written, to the microsecond."""
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    offset = f"{moment:%z}"
    text = (
        f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{point}{moment.microsecond:06}"
        f"{blank}{offset[:3]}{colon}{offset[3:]}"
    )

    assert read_time(text) == pytest.approx(moment.timestamp(), abs=1e-6)


@given(st.text())
def test_no_text_raises_an_error(text: str) -> None:
    read_time(text)


@given(st.integers() | st.floats())
def test_every_number_gives_a_time_that_can_be_written(number: float) -> None:
    """Of the years 1 to 9999: windows are written as RFC 3339."""
    seconds = read_time(number)

    if seconds is not None:
        datetime(1970, 1, 1) + timedelta(seconds=seconds)
