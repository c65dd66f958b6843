"""Values that conditions have beside those of JSON: unsigned numbers, times, durations, types.

Pure. Times and durations count nanoseconds, as CEL's do; Python's own stop at microseconds.
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
    """A length of time, at most 10,000 years either way."""

    nanoseconds: int


class Type(msgspec.Struct, frozen=True, gc=False):
    """What `type(x)` returns."""

    name: str


def int_of(value: int) -> int:
    """The number itself.

    Raises:
        ValueError: it has more than 64 bits.
    """
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number has 64 bits")
    return int(value)


def unsigned_of(value: int) -> Unsigned:
    """The same number, unsigned.

    Raises:
        ValueError: it is negative, or has more than 64 bits.
    """
    if not 0 <= value < 2**64:
        raise ValueError("an unsigned number is between 0 and 2**64 - 1")
    return Unsigned(value)


def timestamp_of(nanoseconds: int) -> Timestamp:
    """A moment, from nanoseconds since 1970.

    Raises:
        ValueError: it is before year 1 or after year 9999.
    """
    if not _FIRST <= nanoseconds < _END:
        raise ValueError("a timestamp is between the years 1 and 9999")
    return Timestamp(nanoseconds)


def duration_of(nanoseconds: int) -> Duration:
    """A duration.

    Raises:
        ValueError: it is longer than 10,000 years.
    """
    if abs(nanoseconds) > _LONGEST:
        raise ValueError("a duration is at most 315576000000 seconds")
    return Duration(nanoseconds)


def whole(value: float) -> int:
    """A number that counts or indexes something; JSON may write it as 1.0.

    Raises:
        ValueError: it has a fraction.
    """
    if value.__class__ is float and not value.is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def type_of(value: Any) -> Type:
    """The type of a value, by the name that CEL gives it."""
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
