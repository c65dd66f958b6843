"""Converts a dead letter to JSON: for programs, and for the file of `discard --to`.

Pure: the time is an argument.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any

import msgspec

from connectors.rabbitmq.dead_letter_headers import OURS
from connectors.rabbitmq.dead_letter_record import DeadLetter
from connectors.rabbitmq.replay import OF_THE_QUEUE

_OWN_FIELDS = ("exchange", "routing_key", "headers")
"""Properties that have fields of their own in `Letter`."""


class Letter(msgspec.Struct, omit_defaults=True):
    """A dead letter; unknown fields are omitted."""

    kind: str
    reason: str | None = None
    time: datetime | None = None
    """When it was dead-lettered."""
    status: int | None = None
    index: str | None = None
    id: str | None = None
    attempts: int = 0
    queue: str | None = None
    """The queue that it was consumed from."""
    exchange: str | None = None
    """The exchange that it was published to."""
    routing_key: str | None = None
    replays: int = 0
    deliveries: int = 0
    """Earlier deliveries by the dead-letter queue; only quorum queues count them."""
    properties: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    """The headers of the sender."""
    body: str | None = None
    body_base64: str | None = None
    """Replaces `body` if it is not text in UTF-8."""


def record(letter: DeadLetter) -> Letter:
    """Return a dead letter with all its fields."""
    properties = letter.properties._asdict()
    headers = {
        name: _plain(value)
        for name, value in (letter.properties.headers or {}).items()
        if name not in (*OURS, *OF_THE_QUEUE)
    }
    try:
        body, encoded = letter.message.body.decode(), None
    except UnicodeDecodeError:
        body, encoded = None, b64encode(letter.message.body).decode()
    return Letter(
        letter.kind,
        letter.reason or None,
        letter.time,
        letter.status,
        letter.index,
        letter.id,
        letter.attempts,
        letter.queue,
        letter.exchange,
        letter.routing_key,
        letter.replays,
        letter.deliveries,
        {
            name: value
            for name, value in properties.items()
            if value is not None and name not in _OWN_FIELDS
        },
        headers,
        body,
        encoded,
    )


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def line(letter: DeadLetter) -> bytes:
    """Return a dead letter as a line of NDJSON."""
    return msgspec.json.encode(record(letter)) + b"\n"
