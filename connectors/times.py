"""Reads times: event times, dates in names of indices, and `@timestamp`.

Pure. A time is in seconds since 1970 in UTC, from the year 1 to 9999. It reads

    texts      RFC 3339, and common forms of ISO 8601: a space for the `T`, `t` and `z`, a comma
               before the fraction, no seconds, no time of day, `+01`, `+0100`, no offset (UTC),
               `UTC` or `GMT` as offset, a zone in brackets at the end, no dashes and colons
    numbers    seconds, milli-, micro- or nanoseconds, by their magnitude; also as texts. Eight
               digits are a day, and fourteen a day with its time if that is valid; four and six,
               which may be a year or a month, are no time
    datetime   from headers of a message
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

AS_TIMES_ARE = 'as "2026-01-31T12:00:00Z" or a Unix time'
"""The expected form, for reasons; quoted, so that their kinds leave the digits out."""


def read_time(value: Any) -> float | None:
    """Return seconds since 1970; `None`: the value is absent, or no time. It takes 0.5 µs."""
    kind = value.__class__
    if kind is str:
        try:
            moment = _convert(value, datetime)
        except ValueError:
            return _spelled_otherwise(value)
        # As fast as datetime.timestamp(), which uses the local time zone if there is no offset.
        seconds = (moment - (_EPOCH if moment.tzinfo else _EPOCH_WITHOUT_OFFSET)).total_seconds()
        return seconds if _FIRST <= seconds < _END else None
    if kind is int or kind is float:
        return _of_number(value)
    if kind is Decimal:
        return _of_number(float(value))
    if kind is datetime:
        at: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return _in_range((at - _EPOCH).total_seconds())
    return None


def _in_range(seconds: float) -> float | None:
    return seconds if _FIRST <= seconds < _END else None


def _of_number(number: float) -> float | None:
    # NaN is in no range. Python divides integers of any size exactly, and rounds once.
    if -_MAX_UNIT <= number <= _MAX_UNIT:
        return float(number) if number >= _FIRST else None
    for per_second in _SMALLER_UNITS:
        if -_MAX_UNIT * per_second <= number <= _MAX_UNIT * per_second:
            seconds = number / per_second
            return seconds if seconds >= _FIRST else None
    return None


def _spelled_otherwise(text: str) -> float | None:
    if len(text) > _MAX_TEXT:
        return None
    text = text.strip()
    if text.isdigit() and len(text) == len("20260131120000"):
        seconds = _spelled_otherwise(f"{text[:8]}T{text[8:]}")
        return _of_text_of_number(text) if seconds is None else seconds
    match = _DASHED(text) or _PLAIN(text)
    if match is None:
        return _of_text_of_number(text)
    date, clock, zone = match["date"].replace("-", ""), match["clock"], match["offset"]
    if match["place"] and not (zone or match["utc"]):
        return None  # the offset of a place changes over the year
    # No datetime can hold a leap second (RFC 3339, section 5.7).
    clock = f"{(clock or '').replace(':', ''):0<6}"
    leap = clock.endswith("60")
    clock = f"{clock[:4]}59" if leap else clock
    offset = f"{zone[:3]}:{zone[3:].strip(':') or '00'}" if zone else "Z"
    try:
        moment = _convert(
            f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
            f".{match['fraction'] or '0'}{offset}",
            datetime,
        )
    except ValueError:
        return None
    return _in_range((moment - _EPOCH).total_seconds() + leap)


def _of_text_of_number(text: str) -> float | None:
    if _NUMBER(text) is None or (len(text) in _DIGITS_OF_DATES and text.isdigit()):
        return None
    return _of_number(int(text) if text.lstrip("+-").isdigit() else float(text))


_convert = msgspec.convert
_EPOCH_WITHOUT_OFFSET = datetime(1970, 1, 1)
_EPOCH = _EPOCH_WITHOUT_OFFSET.replace(tzinfo=UTC)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()
_END = (datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()
"""The years 1 to 9999, the range of RFC 3339."""
_MAX_UNIT = 10**11
"""A larger number is in the next smaller unit: 10**11 seconds are the year 5138, 10**11
milliseconds are 1973; and so on."""
_SMALLER_UNITS = (1_000, 1_000_000, 1_000_000_000)
_MAX_TEXT = 100
"""The longest text to read, in characters: a sender may write megabytes of digits."""
_CLOCK = {
    ":": r"(?P<clock>\d\d(?::\d\d(?::\d\d)?)?)",
    "": r"(?P<clock>\d\d(?:\d\d(?:\d\d)?)?)",
}
_ZONE = (
    r"(?: ?(?:(?P<utc>[Zz]|UTC|GMT)|(?P<offset>[+-]\d\d(?::?\d\d)?)(?: [A-Z]{1,5})?))?"
    r"(?P<place>\[[^\]]*\])?"
)
_DASHED, _PLAIN = (
    re.compile(
        rf"(?P<date>\d{{4}}{dash}\d\d{dash}\d\d)(?:[Tt ]{_CLOCK[colon]}"
        rf"(?:(?<=\d\d{colon}\d\d{colon}\d\d)[.,](?P<fraction>\d+))?)?{_ZONE}",
        re.ASCII,
    ).fullmatch
    for dash, colon in (("-", ":"), ("", ""))
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII).fullmatch
_DIGITS_OF_DATES = (4, 6, 8)
