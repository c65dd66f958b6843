"""Makes the envelope of a parked message: the original's, and headers that tell what happened.

Pure: it publishes nothing, and never looks into a body. All properties of a message travel in one
frame, and RabbitMQ closes the connection of who sends a larger one; so where a sender has filled
the frame already, something stays behind: our own headers first, then the sender's.
The reason always travels, and so does the body, which has frames of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pika

from connectors.message import Message, Properties, Rejected
from connectors.rabbitmq.properties import basic_properties, decode

MAX_REASON_LENGTH = 2000
"""Characters of a reason in its header: Elasticsearch quotes documents in some of its reasons."""
REASON_LENGTH_SHORT = 200
"""Characters of a reason where there is no room; the words that tell most come first."""

NUMBER = "x-hopper-number"
"""Header that tells parked messages of one connection apart."""
LEFT_OUT = "x-hopper-left-out"
"""Header that names what of the original did not fit."""

_FRAME_BYTES = 20
"""Of a header frame that are not properties: seven before the payload and one after it; class,
weight and length of the body (AMQP 0-9-1, sections 2.3.5 and 2.3.5.2)."""
_ESSENTIAL = ("x-hopper-reason", "x-hopper-status", "x-hopper-queue", NUMBER)
"""What a person or a program that moves the message back cannot do without."""
_NOT_COPIED = ("CC", "BCC")
"""Headers that would make the broker send copies elsewhere."""


def envelope(
    rejected: Rejected, queue: str, number: int, now: datetime, frame_bytes_most: int
) -> pika.BasicProperties:
    """Make the properties of the copy, so that they fit into a frame of that size.

    `queue` is where the message came from. Two properties stay behind in any case, and are among
    the headers: the broker refuses to publish under another name (`user_id`), and an `expiration`
    would make the parked message disappear.
    """
    room = frame_bytes_most - _FRAME_BYTES
    headers = _headers(rejected, queue, now) | {NUMBER: number}
    for properties in _candidates(rejected.message, headers):
        properties.user_id = properties.expiration = None
        if len(b"".join(properties.encode())) <= room:
            break
    return properties  # the last one fits into the smallest frame that AMQP allows: 4096 bytes


def _candidates(message: Message, headers: Mapping[str, object]) -> Iterator[pika.BasicProperties]:
    """The most complete envelope first."""
    short = dict(headers, **{"x-hopper-reason": _short(headers["x-hopper-reason"])})
    few = {name: value for name, value in short.items() if name in _ESSENTIAL}
    yield basic_properties(message, headers, without=_NOT_COPIED)
    yield basic_properties(message, short, without=_NOT_COPIED)
    yield basic_properties(message, few, without=_NOT_COPIED)
    yield basic_properties(message, short | {LEFT_OUT: "headers"}, without=None)
    yield basic_properties(message, few | {LEFT_OUT: "headers"}, without=None)


def _headers(rejected: Rejected, queue: str, now: datetime) -> dict[str, object]:
    message, rejection = rejected.message, rejected.rejection
    original = _original(message)
    headers = {
        "x-hopper-reason": rejection.reason[:MAX_REASON_LENGTH],
        "x-hopper-status": rejection.status,
        "x-hopper-index": rejection.index,
        "x-hopper-id": rejection.id,
        "x-hopper-attempts": rejection.attempts,
        "x-hopper-time": now.isoformat(timespec="milliseconds"),
        "x-hopper-queue": queue,
        "x-hopper-exchange": original.exchange,
        "x-hopper-routing-key": original.routing_key,
        "x-hopper-user-id": original.user_id,
        "x-hopper-expiration": original.expiration,
    }
    return {name: _writable(value) for name, value in headers.items() if value is not None}


def _original(message: Message) -> Properties:
    try:
        return decode(message)
    except ValueError:
        return Properties()  # that may be the very reason why it is parked


def _short(reason: object) -> str:
    return str(reason)[:REASON_LENGTH_SHORT]


def _writable(value: object) -> object:
    """Half a character, which JSON can spell, has no UTF-8: a question mark stands for it."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
