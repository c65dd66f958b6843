"""Reads and writes durations and sizes with their units.

In code they are plain numbers of seconds and of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import inf
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema


def duration_text(seconds: float) -> str:
    """Write 30.0 as `30s`, as a spec may have it: in the largest unit that needs no fraction."""
    return _text(Decimal(str(seconds)), _SECONDS)


def size_text(size: int) -> str:
    """Write 10485760 as `10MiB`, as a spec may have it: in the largest unit without a fraction."""
    return _text(Decimal(size), _BYTES)


def measured_size(size: int) -> str:
    """Write 634984 as `620 KiB`: about so many bytes, for people."""
    shown, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if shown < 1024:
            break
        shown, unit = shown / 1024, larger
    return f"{shown:.1f} {unit}" if unit != "B" and shown < 10 else f"{shown:.0f} {unit}"


def _text(amount: Decimal, units: Mapping[str, Decimal]) -> str:
    # The smallest unit comes first; it is used if no unit divides the amount.
    exact = [unit for unit in units if amount % units[unit] == 0] or list(units)[:1]
    unit = max(exact, key=units.__getitem__) if amount else exact[0]
    return f"{(amount / units[unit]).normalize():f}{unit}"


def _duration(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise ValueError(f"write the unit: {_with_unit(value)}")
    amount = _amount(value, _SECONDS)
    if amount is None:
        problem = "must be a number and a unit without a space: 500ms, 5s, 5m, 1h or 1d"
        raise ValueError(problem + _hint(value, _SPELLED_SECONDS))
    return float(amount)


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    amount = _amount(value, _BYTES)
    if amount is None:
        problem = "must be a number and a unit without a space: 512B, 64KiB, 5MiB or 10MB"
        raise ValueError(problem + _hint(value, _SPELLED_BYTES))
    if amount != int(amount):
        raise ValueError("must be a whole number of bytes")
    return int(amount)


def _with_unit(seconds: float) -> str:
    """Write a number of seconds in seconds, and in the largest unit that needs no fraction."""
    if not 0 < seconds < inf:
        return "5s"
    return " or ".join(dict.fromkeys((f"{seconds:.12g}s", duration_text(seconds))))


def _hint(value: Any, spelled: Mapping[str, str]) -> str:
    """Return what to write for a number with a unit in another spelling, if it is clear."""
    matched = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)", str(value))
    unit = spelled.get(matched[2].lower()) if matched else None
    return f"; write {matched[1]}{unit}" if matched and unit else ""


def _amount(value: Any, units: Mapping[str, Decimal]) -> Decimal | None:
    matched = re.fullmatch(_pattern(units), value) if isinstance(value, str) else None
    return Decimal(matched[1]) * units[matched[2]] if matched else None


def _pattern(units: Mapping[str, Decimal]) -> str:
    return rf"([0-9]+(?:\.[0-9]+)?)({'|'.join(units)})"


_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_BYTES = {
    "B": Decimal(1),
    "KiB": Decimal(1024),
    "MiB": Decimal(1024**2),
    "GiB": Decimal(1024**3),
    "kB": Decimal(1000),
    "KB": Decimal(1000),
    "MB": Decimal(1000**2),
    "GB": Decimal(1000**3),
}

_SPELLED_SECONDS = {
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
_SPELLED_BYTES = {
    **{unit.lower(): unit for unit in ("KiB", "MiB", "GiB", "KB", "MB", "GB")},
    **dict.fromkeys(("byte", "bytes"), "B"),
    **{"ki": "KiB", "mi": "MiB", "gi": "GiB"},
}
"""Units in other spellings, without ambiguous ones such as `M`."""


class Unit(NamedTuple):
    """How a value is written that is a plain number in code."""

    text: Callable[[Any], str]


Duration = Annotated[
    float,
    Unit(duration_text),
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"title": "duration", "type": "string", "pattern": f"^{_pattern(_SECONDS)}$"},
                {"title": "duration", "const": 0},
            ],
        }
    ),
]
"""Seconds in code; `500ms`, `5s`, `5m`, `1h`, `1d` or `0` in YAML."""

Size = Annotated[
    int,
    Unit(size_text),
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"title": "size", "type": "string", "pattern": f"^{_pattern(_BYTES)}$"},
                {"title": "size", "type": "integer", "minimum": 0},
            ],
        }
    ),
]
"""Bytes in code; `512B`, `64KiB`, `5MiB`, `10MB`, or a bare number of bytes, in YAML."""
