"""Reads when a message happened, from what it says of itself; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec


def event_time(value: Any) -> float | None:
    """Seconds since 1970; `None`: it is absent, or cannot be read as a time.

    A text is RFC 3339, and in UTC where it has no offset; seconds or the time of day may be
    left out, and what ISO 8601 adds is read too: `+02`, `+0200`, a comma. A number is seconds,
    or milliseconds when it is above 1e11. It costs 0.5 µs.
    """
    if value.__class__ is str:
        try:
            moment = _convert(value, datetime)
        except ValueError:
            return _spelled_otherwise(value)
        # A difference is as quick as datetime.timestamp(), which without an offset means the time
        # of wherever this runs.
        seconds = (moment - (_EPOCH if moment.tzinfo else _EPOCH_WITHOUT_OFFSET)).total_seconds()
        return seconds if _FIRST <= seconds < _END else None
    if value.__class__ is int or value.__class__ is float:
        # NaN is in no range.
        if -_MILLISECONDS_FROM <= value <= _MILLISECONDS_FROM:
            return float(value) if value >= _FIRST else None
        return value / 1000 if _FIRST * 1000 <= value < _END * 1000 else None
    return None


def _spelled_otherwise(text: str) -> float | None:
    match = _TIME(text)
    if match is None:
        return None
    date, minutes, second, fraction, offset = match.groups()
    # A leap second (RFC 3339, section 5.7) is one more than a datetime can count.
    leap = second == "60"
    time = f"{minutes or '00:00'}:{'59' if leap else second or '00'}.{fraction or '0'}"
    if offset is not None and len(offset) == len("+02"):
        offset += "00"
    try:
        moment = _convert(f"{date}T{time}{offset or 'Z'}", datetime)
    except ValueError:
        return None
    seconds = (moment - _EPOCH).total_seconds() + leap
    return seconds if _FIRST <= seconds < _END else None


_convert = msgspec.convert
_EPOCH_WITHOUT_OFFSET = datetime(1970, 1, 1)
_EPOCH = _EPOCH_WITHOUT_OFFSET.replace(tzinfo=UTC)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r" ?(Z|z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
).fullmatch
_MILLISECONDS_FROM = 1e11
"""A number above it is milliseconds: in seconds it would be the year 5138."""
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()
_END = (datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()
"""The years 1 to 9999, which is what RFC 3339 can say."""
