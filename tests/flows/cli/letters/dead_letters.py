"""Makes dead letters for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pika

from connectors.message import Message
from connectors.rabbitmq.dead_letter_record import DeadLetter, read
from connectors.rabbitmq.delivery import encode_route

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def letter(
    reason: str, age: float, headers: Mapping[str, object] | None = None, body: bytes = b"{}"
) -> DeadLetter:
    """A message that was rejected so many seconds ago."""
    added = {
        "x-hopper-reason": reason,
        "x-hopper-time": (NOW - timedelta(seconds=age)).isoformat(),
        **(headers or {}),
    }
    properties = b"".join(pika.BasicProperties(headers=added, message_id="a").encode())
    return read(Message(1, False, encode_route("", "parked"), properties, body))
