"""Reads and writes times and durations in conditions, and computes the date and hour of a time.

Pure, except that it reads each time zone once from the system's database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from flows.conditions.cel.values import SECOND, Duration, Timestamp, duration_of, timestamp_of


def read_timestamp(value: Any) -> Timestamp:
    """Read a moment from a text (RFC 3339); return a moment as it is.

    Raises:
        ValueError: the text is no time.
    """
    return value if isinstance(value, Timestamp) else timestamp_of(_nanoseconds(value))


def read_duration(value: Any) -> Duration:
    """Read a duration from a text such as `1h30m` or `1.5s`; return a duration as it is.

    Raises:
        ValueError: the text is no duration.
    """
    if isinstance(value, Duration):
        return value
    match = _DURATION(value)
    if match is None:
        raise ValueError(f'{value!r:.50} is not a duration: write it as in "1h30m" or "1.5s"')
    total = 0
    for number, unit in _AMOUNT.findall(match[2]):
        units, _, fraction = number.partition(".")
        nanoseconds = _UNITS[unit]
        total += int(units or 0) * nanoseconds + int(fraction or 0) * nanoseconds // (
            10 ** len(fraction)
        )
    return duration_of(-total if match[1] == "-" else total)


def write_timestamp(value: Timestamp) -> str:
    """Write a moment in RFC 3339, in UTC."""
    seconds, rest = divmod(value.nanoseconds, SECOND)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}{_fraction(rest)}Z"


def write_duration(value: Duration) -> str:
    """Write a duration in seconds, as in `1.5s`."""
    seconds, rest = divmod(abs(value.nanoseconds), SECOND)
    return f"{'-' if value.nanoseconds < 0 else ''}{seconds}{_fraction(rest)}s"


def calendar(of: Callable[[datetime], int]) -> Callable[..., int]:
    """Build a function of a moment's date and time, in UTC or in a given time zone."""

    def ask(at: Timestamp, zone: str = "") -> int:
        moment = _EPOCH + timedelta(seconds=at.nanoseconds // SECOND)
        if zone:
            try:
                moment = moment.replace(tzinfo=UTC).astimezone(read_zone(zone))
            except OverflowError as error:
                raise ValueError(f"{error}") from None
        return of(moment)

    return ask


def clock(of: Callable[[datetime], int], unit: int) -> Callable[..., int]:
    """Build the same for moments and durations; `unit` is in nanoseconds.

    For a duration, the function returns the length in whole units.
    """
    of_moment = calendar(of)

    def ask(of_what: Timestamp | Duration, zone: str = "") -> int:
        if isinstance(of_what, Timestamp):
            return of_moment(of_what, zone)
        if zone:
            raise ValueError("a duration has no time zone")
        return _towards_zero(of_what.nanoseconds, unit)

    return ask


def milliseconds(of: Timestamp | Duration, zone: str = "") -> int:
    """Return the milliseconds beyond the last whole second."""
    if isinstance(of, Timestamp):
        if zone:
            read_zone(zone)
        return of.nanoseconds % SECOND // 10**6
    if zone:
        raise ValueError("a duration has no time zone")
    return _towards_zero(of.nanoseconds, 10**6) - 1000 * _towards_zero(of.nanoseconds, SECOND)


@lru_cache(256)
def read_zone(name: str) -> tzinfo:
    """Return a time zone, by its name or its offset from UTC.

    Raises:
        ValueError: there is no such time zone.
    """
    fixed = _OFFSET(name)
    if fixed is not None:
        distance = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-distance if fixed[1] == "-" else distance)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'there is no time zone {name!r:.50}: write "Europe/Berlin" or "+02:00"; names need the'
            " time zone database of the system, or pip install tzdata"
        ) from None


def _nanoseconds(text: str) -> int:
    """Read a time in RFC 3339; return nanoseconds since 1970."""
    match = _TIMESTAMP(text)
    problem = f'{text!r:.50} is not a timestamp: write it as in "2026-05-05T12:00:00Z"'
    if match is None:
        raise ValueError(problem)
    try:
        day = date.fromisoformat(match[1]).toordinal() - _EPOCH.toordinal()
    except ValueError as error:
        raise ValueError(f"{problem}; {error}") from None
    hours, minutes, seconds = (int(match[place]) for place in (2, 3, 4))
    total = ((day * 24 + hours) * 60 + minutes) * 60 + seconds
    if match[6] is not None:
        distance = (int(match[7]) * 60 + int(match[8])) * 60
        total += distance if match[6] == "-" else -distance
    return total * SECOND + int((match[5] or "").ljust(9, "0"))


def _fraction(nanoseconds: int) -> str:
    """Write a fraction of a second: a dot and three, six or nine digits, or nothing."""
    text = f"{nanoseconds:09}"
    while text.endswith("000"):
        text = text[:-3]
    return text and f".{text}"


def _towards_zero(amount: int, unit: int) -> int:
    return abs(amount) // unit * (-1 if amount < 0 else 1)


_EPOCH = datetime(1970, 1, 1)
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
).fullmatch
_OFFSET = re.compile(r"([+-]?)([01]\d|2[0-3]):([0-5]\d)", re.ASCII).fullmatch
_UNITS = {"h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 10**6, "us": 10**3, "µs": 10**3}
_UNITS["ns"] = 1
_AMOUNT = re.compile(r"(\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(h|ms|m|s|us|µs|ns)", re.ASCII)
_DURATION = re.compile(rf"([+-]?)((?:{_AMOUNT.pattern}){{1,20}}|0)", re.ASCII).fullmatch
