"""Decodes the properties that `wire.py` leaves encoded, and encodes those of a parked message.

It caches only results that many messages share. No properties that a sender can write end the job.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

import pika

from connectors.message import Message, Properties, Run
from connectors.rabbitmq.table import decode_table, fields_where

PERSISTENT = 2
"""The delivery mode of messages that outlive a restart of the broker."""


def decode(message: Message) -> Properties:
    """Decode exchange, routing key and all properties.

    Text that is not UTF-8 gets replacement characters; for header values see `decode_table`.

    Raises:
        ValueError: the properties or their headers are cut off, or of an unknown kind.

    """
    properties = message.properties
    if len(properties) < 2:
        raise ValueError(_CUT_OFF)
    if (properties[0] << 8 | properties[1]) & _OF_ONE_MESSAGE:
        return _decode(message.route, properties)[0]
    return _decode_shared(message.route, properties)


def runs(messages: list[Message]) -> Iterator[Run]:
    """Decode the envelopes of messages, as `decode` does, but each run only once."""
    end = 0
    while end < len(messages):
        start, problem, properties = end, "", list[Properties]()
        try:
            end, properties = _run(messages, start)
        except ValueError as error:
            end, problem = _end_of_equal(messages, start), str(error)
        yield Run(messages[start:end], properties, problem)


def _run(messages: list[Message], start: int) -> tuple[int, list[Properties]]:
    """Return the end of the run that begins at `start`, and its properties."""
    first = messages[start]
    encoded, route = first.properties, first.route
    if not int.from_bytes(encoded[:2], "big") & _FLAGS["message_id"]:
        found = [decode(first)]
        return _end_of_equal(messages, start), found
    decoded, (begin, stop) = _decode(route, encoded)
    before, after, size = encoded[:begin], encoded[stop:], len(encoded)
    head, tail = decoded[:_MESSAGE_ID], decoded[_MESSAGE_ID + 1 :]
    found = [decoded]
    for end in range(start + 1, len(messages)):
        message = messages[end]
        encoded = message.properties
        if (
            len(encoded) != size
            or encoded[:begin] != before
            or encoded[stop:] != after
            or message.route != route
        ):
            return end, found
        name = encoded[begin:stop].decode(errors="replace")
        found.append(tuple.__new__(Properties, (*head, name, *tail)))
    return len(messages), found


def _end_of_equal(messages: list[Message], start: int) -> int:
    """Return the end of the messages with the same envelope as the one at `start`."""
    properties, route = messages[start].properties, messages[start].route
    for end in range(start + 1, len(messages)):
        message = messages[end]
        if message.properties != properties or message.route != route:
            return end
    return len(messages)


def header(properties: bytes, name: bytes) -> Any:
    """Decode one header alone, even beside broken ones; `None`: missing, or cannot be read."""
    if name not in properties or not int.from_bytes(properties[:2], "big") & _FLAGS["headers"]:
        return None  # the fast path of most messages
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

    The original headers stay encoded, because pika changes some (3.5 becomes 3) and fails at
    others; `headers` of the result holds only the extra ones. An extra header replaces the original
    one of its name. The copy leaves out the headers named in `without` (`None`: all of them), and
    properties that cannot be read.
    """
    try:
        copy = _Copy(message.properties, extra_headers, without)
    except (ValueError, IndexError, struct.error):  # pika's decoder raises the last one
        copy = _Copy(_NO_PROPERTIES, extra_headers, ())
    copy.delivery_mode = PERSISTENT
    return copy


def readable(properties: bytes) -> bytes:
    """Leave out the headers at which pika's decoder may fail; all properties if they are broken.

    pika fails at tables nested a thousand deep, times after the year 9999, and invalid numbers.
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
    """Return where the header table begins and ends."""
    start = 2
    for name in ("content_type", "content_encoding"):
        if int.from_bytes(properties[:2], "big") & _FLAGS[name]:
            start += 1 + properties[start]
    return start, start + 4 + int.from_bytes(properties[start : start + 4], "big")


def _with_headers(properties: bytes, start: int, end: int, headers: bytes) -> bytes:
    """Replace the header table by these encoded fields; without fields, remove it."""
    flags = int.from_bytes(properties[:2], "big") & ~_FLAGS["headers"]
    table = struct.pack(">I", len(headers)) + headers if headers else b""
    if table:
        flags |= _FLAGS["headers"]
    return struct.pack(">H", flags) + properties[2:start] + table + properties[end:]


def _decode(route: bytes, properties: bytes) -> tuple[Properties, tuple[int, int]]:
    """Return the properties, and where the text of the `message_id` is, if there is one."""
    place = 0, 0
    try:
        values: list[Any] = [*_decode_route(route), *_NOTHING]
        position = 2
        for index, kind in _layout(properties[0] << 8 | properties[1]):
            start = position
            if kind == "s":
                position += 1 + properties[start]
                values[index] = properties[start + 1 : position].decode(errors="replace")
                if index == _MESSAGE_ID:
                    place = start + 1, position
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
    return tuple.__new__(Properties, values), place


@lru_cache(1024)
def _decode_shared(route: bytes, properties: bytes) -> Properties:
    return _decode(route, properties)[0]


@lru_cache(1024)
def _decode_route(route: bytes) -> tuple[str, str]:
    end = 1 + route[0]
    return route[1:end].decode(errors="replace"), route[end + 1 :].decode(errors="replace")


@lru_cache(256)
def _layout(flags: int) -> list[tuple[int, str]]:
    """Return index in `Properties` and kind of each property, in their order on the wire."""
    if flags & _UNKNOWN:
        raise ValueError(f"properties of an unknown kind (flags {flags:#06x})")
    return [
        (Properties._fields.index(name), kind)
        for (name, flag), kind in zip(_FLAGS.items(), _KINDS, strict=True)
        if flags & flag
    ]


_READABLE = frozenset(b"tbBsUuIiLlSxV")
"""Types of fields whose every value pika can decode."""
_KINDS = "sstoossssnssss"  # short string, table, octet, number of eight bytes
_FLAGS = {name: 0x8000 >> position for position, name in enumerate(Properties._fields[2:])}
"""AMQP 0-9-1, section 4.2.6.1: the first property has the highest bit."""
_UNKNOWN = 0xFFFF & ~sum(_FLAGS.values())
_MESSAGE_ID = Properties._fields.index("message_id")
_OF_ONE_MESSAGE = sum(
    _FLAGS[name] for name in ("headers", "correlation_id", "message_id", "timestamp")
)
"""Properties that usually differ from message to message. Without them, few envelopes differ, and
a cache finds one in a fifth of the time that decoding takes."""
_NOTHING = [None] * len(_FLAGS)
_NO_PROPERTIES = bytes(2)
_CUT_OFF = "properties are cut off"
