"""Makes the properties of a parked message: the original ones, and headers with the reason.

Pure: it publishes nothing, and never reads a body. All properties of a message travel in one frame,
and RabbitMQ closes a connection that sends a larger one. If the properties do not fit, our own
headers are left out first, then the original ones. The reason always fits, and the body has frames
of its own.
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
"""Characters of a reason that is shortened to fit; the most important words come first."""

NUMBER = "x-hopper-number"
"""Header with the number of the parked message on its connection."""
LEFT_OUT = "x-hopper-left-out"
"""Header that names the part of the original properties that did not fit."""

REPLAYS = "x-hopper-replays"
"""Header that counts the replays of a message by `hopper dead-letters replay`. The message keeps it
when it is rejected again."""
OURS = (
    *("x-hopper-reason", "x-hopper-status", "x-hopper-index", "x-hopper-id", "x-hopper-attempts"),
    *("x-hopper-time", "x-hopper-queue", "x-hopper-exchange", "x-hopper-routing-key"),
    *("x-hopper-user-id", "x-hopper-expiration", NUMBER, LEFT_OUT, REPLAYS),
)
"""All headers that are added to a dead letter."""

_FRAME_BYTES = 20
"""Bytes of a header frame beside the properties: seven before the payload and one after it; class,
weight and length of the body (AMQP 0-9-1, sections 2.3.5 and 2.3.5.2)."""
_ESSENTIAL = ("x-hopper-reason", "x-hopper-status", "x-hopper-queue", NUMBER)
"""Headers that a person or a program needs to move the message back."""
_NOT_COPIED = ("CC", "BCC")
"""Headers that make the broker route copies to other queues."""


def envelope(
    rejected: Rejected, queue: str, number: int, now: datetime, max_frame_bytes: int
) -> pika.BasicProperties:
    """Make the properties of the copy, so that they fit into a frame of that size in bytes.

    `queue` is the queue that the message came from. Two properties become headers: the broker
    refuses a `user_id` that is not the publisher's, and an `expiration` would make the parked
    message disappear.
    """
    room = max_frame_bytes - _FRAME_BYTES
    headers = _headers(rejected, queue, now) | {NUMBER: number}
    for properties in _candidates(rejected.message, headers):
        properties.user_id = properties.expiration = None
        if len(b"".join(properties.encode())) <= room:
            break
    return properties  # the last one fits into the smallest frame that AMQP allows: 4096 bytes


def _candidates(message: Message, headers: Mapping[str, object]) -> Iterator[pika.BasicProperties]:
    """Yield possible properties, the most complete ones first."""
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
        return Properties()  # the broken envelope may be why the message is parked


def _short(reason: object) -> str:
    return str(reason)[:REASON_LENGTH_SHORT]


def _writable(value: object) -> object:
    """Replace a lone surrogate, which JSON can spell but UTF-8 cannot, by a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
