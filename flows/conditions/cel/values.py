"""Values of conditions that JSON does not have: unsigned numbers, times, durations, types.

Pure. Times and durations count nanoseconds, as in CEL; those of Python count microseconds.
"""

from __future__ import annotations

from typing import Any

import msgspec

SECOND = 10**9
"""In nanoseconds."""


class Unsigned(int):
    """A whole number from 0 up to 2**64 - 1, written `3u`."""


class Timestamp(msgspec.Struct, frozen=True, order=True, gc=False):
    """A moment between the years 1 and 9999."""

    nanoseconds: int
    """Since 1970, UTC."""


class Duration(msgspec.Struct, frozen=True, order=True, gc=False):
    """A length of time, at most 10,000 years, positive or negative."""

    nanoseconds: int


class Type(msgspec.Struct, frozen=True, gc=False):
    """The result of `type(x)`."""

    name: str


def int_of(value: int) -> int:
    """Return the number as a plain integer.

    Raises:
        ValueError: it has more than 64 bits.
    """
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number has 64 bits")
    return int(value)


def unsigned_of(value: int) -> Unsigned:
    """Return the number as an unsigned one.

    Raises:
        ValueError: it is negative, or has more than 64 bits.
    """
    if not 0 <= value < 2**64:
        raise ValueError("an unsigned number is between 0 and 2**64 - 1")
    return Unsigned(value)


def timestamp_of(nanoseconds: int) -> Timestamp:
    """Return the moment at these nanoseconds since 1970.

    Raises:
        ValueError: it is before year 1 or after year 9999.
    """
    if not _FIRST <= nanoseconds < _END:
        raise ValueError("a timestamp is between the years 1 and 9999")
    return Timestamp(nanoseconds)


def duration_of(nanoseconds: int) -> Duration:
    """Return a duration of these nanoseconds.

    Raises:
        ValueError: it is longer than 10,000 years.
    """
    if abs(nanoseconds) > _LONGEST:
        raise ValueError("a duration is at most 315576000000 seconds")
    return Duration(nanoseconds)


def whole(value: float) -> int:
    """Return a number as an integer, to count or index with it; JSON may write it as 1.0.

    Raises:
        ValueError: it has a fraction.
    """
    if value.__class__ is float and not value.is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def type_of(value: Any) -> Type:
    """Return the type of a value, under the name that CEL has for it."""
    return TYPES[_NAMES[value.__class__]]


_FIRST, _END = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND
_LONGEST = 315_576_000_000 * SECOND
_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    Unsigned: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    Type: "type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
}
TYPES = {name: Type(name) for name in _NAMES.values()}
"""Types by their names."""
