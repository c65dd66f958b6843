"""Converts values of conditions from one kind to another. Pure.

Each function raises ValueError for a value that it cannot convert; the text says why.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from flows.conditions.cel.timestamps import write_duration, write_timestamp
from flows.conditions.cel.values import SECOND, Duration, Timestamp, Unsigned, int_of, unsigned_of


def to_int(value: Any) -> int:
    """Convert to an integer, towards zero; a time to seconds since 1970."""
    if isinstance(value, Timestamp):
        return value.nanoseconds // SECOND
    return int_of(_whole(value))


def to_uint(value: Any) -> Unsigned:
    """Convert to an unsigned integer, towards zero."""
    return unsigned_of(_whole(value))


def to_double(value: Any) -> float:
    """Convert to a float."""
    if value.__class__ is str and not _FLOAT(value):
        raise ValueError(f"{value!r:.50} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError(f"{value!r:.50} is beyond a double")
    return number


def to_string(value: Any) -> str:
    """Convert to a text."""
    if isinstance(value, Timestamp):
        return write_timestamp(value)
    if isinstance(value, Duration):
        return write_duration(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is bytes:
        return str(value, "utf-8")
    return _text_of_float(value) if value.__class__ is float else str(value)


def to_bytes(value: Any) -> bytes:
    """Encode a text in UTF-8; return bytes as they are."""
    return value.encode() if value.__class__ is str else bytes(value)


def to_bool(value: Any) -> bool:
    """Convert a text to true or false."""
    if value not in _TRUTHS:
        raise ValueError(f"{value!r:.50} is neither true nor false")
    return _TRUTHS[value]


def _whole(value: Any) -> int:
    if value.__class__ is str:
        if not _WHOLE(value):
            raise ValueError(f"{value!r:.50} is not a whole number")
        return int(value)
    if value.__class__ is float and not isfinite(value):
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def _text_of_float(value: float) -> str:
    """Write the shortest text of the number, as Go and C++ do: 1.5, 2, 1e+06."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(value).removesuffix(".0")
    digits = len(Decimal(repr(value)).normalize().as_tuple().digits)
    return f"{value:.{digits - 1}e}"


_WHOLE = re.compile(r"[+-]?[0-9]{1,25}").fullmatch
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_TRUTHS: dict[Any, bool] = {
    **dict.fromkeys((True, "true", "True", "TRUE", "t", "1"), True),
    **dict.fromkeys((False, "false", "False", "FALSE", "f", "0"), False),
}
