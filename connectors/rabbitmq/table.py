"""Decodes AMQP field tables, the encoding of a message's headers.

Pure, and without pika: its decoder truncates floating-point numbers to integers, and accepts a
table that is cut off. The types of fields are those of RabbitMQ, and those that only pika has
(https://www.rabbitmq.com/amqp-0-9-1-errata, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from struct import Struct
from typing import Any

MAX_DEPTH = 100
"""Levels of nested tables and arrays. People write three; Python's stack ends at 1000 calls."""


def decode_table(encoded: bytes, start: int, depth: int = 1) -> tuple[dict[str, Any], int]:
    """Decode the table that begins at `start`; return it and the position of its end.

    Text that is not UTF-8 gets replacement characters. Timestamps are in UTC; those that a
    `datetime` cannot hold stay numbers, in seconds since 1970.

    Raises:
        ValueError: the table is cut off, nested too deeply, or has a field of unknown type.

    """
    end = _long_end(encoded, start, len(encoded))
    table = {
        encoded[name_at:value_at].decode(errors="replace"): _decode_value(
            encoded, value_at, next_at, depth
        )
        for name_at, value_at, next_at in _fields(encoded, start + 4, end)
    }
    return table, end


def fields_where(encoded: bytes, start: int, wanted: Callable[[bytes, int], bool]) -> bytes:
    """Return the encoded fields of the table at `start` for which `wanted` is true.

    `wanted` is called with the name of each field and the letter of its type.

    Raises:
        ValueError: the table is cut off, or has a field of unknown type.

    """
    end = _long_end(encoded, start, len(encoded))
    return b"".join(
        encoded[name_at - 1 : value_end]
        for name_at, value_at, value_end in _fields(encoded, start + 4, end)
        if wanted(encoded[name_at:value_at], encoded[value_at])
    )


def _fields(encoded: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield for each field the positions of its name, of its type, and of the next field."""
    while position < end:
        name_at = position + 1
        value_at = name_at + encoded[position]
        position = _value_end(encoded, value_at, end)
        yield name_at, value_at, position


def _value_end(encoded: bytes, position: int, limit: int) -> int:
    """Return the end of the value whose type is at `position`."""
    if position >= limit:
        raise ValueError("header table is cut off")
    kind = encoded[position]
    if kind in _LONG:
        return _long_end(encoded, position + 1, limit)
    size = _SIZES.get(kind)
    if size is None:
        raise ValueError(f"header of unknown type {chr(kind)!r}")
    end = position + 1 + size
    if end > limit:
        raise ValueError("header table is cut off")
    return end


def _long_end(encoded: bytes, position: int, limit: int) -> int:
    """Return the end of the value whose length, in four bytes, is at `position`."""
    end = position + 4 + int.from_bytes(encoded[position : position + 4], "big")
    if position + 4 > limit or end > limit:
        raise ValueError("header table is cut off")
    return end


def _decode_value(encoded: bytes, position: int, end: int, depth: int) -> Any:
    kind = encoded[position]
    if kind == _TEXT:
        return encoded[position + 5 : end].decode(errors="replace")
    if kind in _NUMBERS:
        return _NUMBERS[kind].unpack_from(encoded, position + 1)[0]
    return _DECODERS[kind](encoded, position + 1, end, depth)


def _decode_bytes(encoded: bytes, position: int, end: int, _depth: int) -> bytes:
    return encoded[position + 4 : end]


def _decode_void(_encoded: bytes, _position: int, _end: int, _depth: int) -> None:
    return None


def _decode_timestamp(encoded: bytes, position: int, end: int, _depth: int) -> datetime | int:
    seconds = int.from_bytes(encoded[position:end], "big")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # which one depends on the platform
        return seconds


def _decode_decimal(encoded: bytes, position: int, end: int, _depth: int) -> Decimal:
    unscaled = int.from_bytes(encoded[position + 1 : end], "big", signed=True)
    return Decimal(unscaled).scaleb(-encoded[position])


def _decode_array(encoded: bytes, position: int, end: int, depth: int) -> list[Any]:
    _check_depth(depth + 1)
    values = []
    position += 4
    while position < end:
        value_end = _value_end(encoded, position, end)
        values.append(_decode_value(encoded, position, value_end, depth + 1))
        position = value_end
    return values


def _decode_inner_table(encoded: bytes, position: int, _end: int, depth: int) -> dict[str, Any]:
    _check_depth(depth + 1)
    return decode_table(encoded, position, depth + 1)[0]


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"headers are nested more than {MAX_DEPTH} deep")


_TEXT = ord("S")
_LONG = frozenset(b"SxFA")
_DECODERS: dict[int, Callable[[bytes, int, int, int], Any]] = {
    ord("x"): _decode_bytes,
    ord("F"): _decode_inner_table,
    ord("A"): _decode_array,
    ord("D"): _decode_decimal,
    ord("T"): _decode_timestamp,
    ord("V"): _decode_void,
}
_NUMBERS = {
    kind: Struct(f">{code}") for kind, code in zip(b"tbBsUuIiLlfd", "?bBhhHiIqqfd", strict=True)
}
_SIZES = {ord("D"): 5, ord("T"): 8, ord("V"): 0} | {
    kind: number.size for kind, number in _NUMBERS.items()
}
