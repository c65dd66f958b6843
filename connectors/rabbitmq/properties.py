"""Reads the envelope that `wire.py` leaves undecoded, and makes it anew for a message to be parked.

It keeps nothing of what it reads but results that many messages share; nothing that a sender can
put into an envelope ends the job.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import pika

from connectors.message import Message, Properties
from connectors.rabbitmq.table import decode_table, fields_where

PERSISTENT = 2
"""The delivery mode of messages that outlive a restart of the broker."""


def decode(message: Message) -> Properties:
    """Decode exchange, routing key and all properties.

    Text that is not UTF-8 gets replacement characters; for header values see `decode_table`.

    Raises:
        ValueError: the properties or their headers are cut off, or RabbitMQ does not know them.

    """
    properties = message.properties
    if len(properties) < 2:
        raise ValueError(_CUT_OFF)
    if (properties[0] << 8 | properties[1]) & _OF_ONE_MESSAGE:
        return _decode(message.route, properties)
    return _decode_shared(message.route, properties)


def header(properties: bytes, name: bytes) -> Any:
    """Decode one header alone, also beside broken ones; `None`: none there that can be read."""
    if name not in properties or not int.from_bytes(properties[:2], "big") & _FLAGS["headers"]:
        return None  # which is all there is to most messages
    try:
        start, _ = _headers(properties)
        field = fields_where(properties, start, lambda found, _: found == name)
        return decode_table(len(field).to_bytes(4, "big") + field, 0)[0].get(name.decode())
    except (ValueError, IndexError):
        return None


def basic_properties(
    message: Message, extra_headers: Mapping[str, object], without: Collection[str] | None = ()
) -> pika.BasicProperties:
    """Make the properties of a persistent copy of a message, with headers added.

    The original headers travel as they came, since pika would change some (3.5 becomes 3) and stop
    at others; `headers` of what is returned holds the extra ones alone. An extra header replaces
    an original one of its name. Left out are the headers named in `without` (`None`: all of
    them), and properties that cannot be read.
    """
    try:
        copy = _Copy(message.properties, extra_headers, without)
    except (ValueError, IndexError, struct.error):  # pika's decoder raises the last one
        copy = _Copy(_NO_PROPERTIES, extra_headers, ())
    copy.delivery_mode = PERSISTENT
    return copy


def readable(properties: bytes) -> bytes:
    """Leave out those headers at which pika's decoder may stop; all properties, if they are broken.

    At tables inside a thousand others, at a time after the year 9999, at a number that is none.
    """
    if not int.from_bytes(properties[:2], "big") & _FLAGS["headers"]:
        return properties
    try:
        start, end = _headers(properties)
    except IndexError:
        return _NO_PROPERTIES
    try:
        headers = fields_where(properties, start, lambda _, kind: kind in _READABLE)
    except (ValueError, IndexError):
        headers = b""
    if len(headers) == end - start - 4:
        return properties
    return _with_headers(properties, start, end, headers)


class _Copy(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """Properties whose original headers stay encoded."""

    def __init__(
        self,
        original: bytes,
        extra_headers: Mapping[str, object],
        without: Collection[str] | None,
    ) -> None:
        super().__init__()
        self._original_headers = b""
        flags = int.from_bytes(original[:2], "big")
        if flags & _FLAGS["headers"]:
            start, end = _headers(original)
            if without is not None:
                dropped = [name.encode() for name in (*extra_headers, *without)]
                self._original_headers = fields_where(
                    original, start, lambda name, _: name not in dropped
                )
            original = _with_headers(original, start, end, b"")
        self.decode(original)
        self.headers = dict(extra_headers)

    def encode(self) -> list[bytes]:
        """Encode as pika does, and put the original headers in front of the extra ones."""
        encoded = b"".join(super().encode())
        start, end = _headers(encoded)
        headers = self._original_headers + encoded[start + 4 : end]
        return [encoded[:start], struct.pack(">I", len(headers)), headers, encoded[end:]]


def _headers(properties: bytes) -> tuple[int, int]:
    """Where the header table begins and ends."""
    start = 2
    for name in ("content_type", "content_encoding"):
        if int.from_bytes(properties[:2], "big") & _FLAGS[name]:
            start += 1 + properties[start]
    return start, start + 4 + int.from_bytes(properties[start : start + 4], "big")


def _with_headers(properties: bytes, start: int, end: int, headers: bytes) -> bytes:
    """Put these encoded fields in the place of the header table; without any there is no table."""
    flags = int.from_bytes(properties[:2], "big") & ~_FLAGS["headers"]
    table = struct.pack(">I", len(headers)) + headers if headers else b""
    if table:
        flags |= _FLAGS["headers"]
    return struct.pack(">H", flags) + properties[2:start] + table + properties[end:]


def _decode(route: bytes, properties: bytes) -> Properties:
    try:
        values: list[Any] = [*_decode_route(route), *_NOTHING]
        position = 2
        for index, kind in _layout(properties[0] << 8 | properties[1]):
            start = position
            if kind == "s":
                position += 1 + properties[start]
                values[index] = properties[start + 1 : position].decode(errors="replace")
            elif kind == "o":
                position += 1
                values[index] = properties[start]
            elif kind == "n":
                position += 8
                values[index] = int.from_bytes(properties[start:position], "big")
            else:
                values[index], position = decode_table(properties, start)
    except IndexError:
        raise ValueError(_CUT_OFF) from None
    if position > len(properties):
        raise ValueError(_CUT_OFF)
    return tuple.__new__(Properties, values)


_decode_shared = lru_cache(1024)(_decode)


@lru_cache(1024)
def _decode_route(route: bytes) -> tuple[str, str]:
    end = 1 + route[0]
    return route[1:end].decode(errors="replace"), route[end + 1 :].decode(errors="replace")


@lru_cache(256)
def _layout(flags: int) -> list[tuple[int, str]]:
    """Index in `Properties` and kind of each property that is present, in the order on the wire."""
    if flags & _UNKNOWN:
        raise ValueError(f"properties of an unknown kind (flags {flags:#06x})")
    return [
        (Properties._fields.index(name), kind)
        for (name, flag), kind in zip(_FLAGS.items(), _KINDS, strict=True)
        if flags & flag
    ]


_READABLE = frozenset(b"tbBsUuIiLlSxV")
"""The types of fields of which pika can read every value."""
_KINDS = "sstoossssnssss"  # short string, table, octet, number of eight bytes
_FLAGS = {name: 0x8000 >> position for position, name in enumerate(Properties._fields[2:])}
"""AMQP 0-9-1, section 4.2.6.1: the first property has the highest bit."""
_UNKNOWN = 0xFFFF & ~sum(_FLAGS.values())
_OF_ONE_MESSAGE = sum(
    _FLAGS[name] for name in ("headers", "correlation_id", "message_id", "timestamp")
)
"""What differs from message to message, as a rule; without any of it, few envelopes are different,
and a cache finds one in a fifth of the time it takes to decode it."""
_NOTHING = [None] * len(_FLAGS)
_NO_PROPERTIES = bytes(2)
_CUT_OFF = "properties are cut off"
