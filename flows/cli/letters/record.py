"""A dead letter as JSON: for programs, and for files that keep what is discarded.

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

_TOLD_APART = ("exchange", "routing_key", "headers")
"""Properties that have a place of their own."""


class Letter(msgspec.Struct, omit_defaults=True):
    """A dead letter; what is not known is left out."""

    kind: str
    reason: str | None = None
    time: datetime | None = None
    """When it was dead-lettered."""
    status: int | None = None
    index: str | None = None
    id: str | None = None
    attempts: int = 0
    queue: str | None = None
    """Where it was consumed from."""
    exchange: str | None = None
    """How it was published."""
    routing_key: str | None = None
    replays: int = 0
    deliveries: int = 0
    """How often the queue of dead letters has handed it out before; only quorum queues count."""
    properties: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    """Those of the sender."""
    body: str | None = None
    body_base64: str | None = None
    """In place of `body`, where that is not text in UTF-8."""


def record(letter: DeadLetter) -> Letter:
    """Return a dead letter with everything that is known of it."""
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
            if value is not None and name not in _TOLD_APART
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
