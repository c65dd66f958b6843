"""Reads the headers of a dead letter, and selects dead letters.

Pure: the time is an argument. Headers may be missing or of other types, because other programs can
publish to the queue too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from connectors.message import Message, Properties
from connectors.rabbitmq.dead_letter_headers import REPLAYS
from connectors.rabbitmq.declaration import OFFSET
from connectors.rabbitmq.properties import decode, header
from connectors.reject_kind import kind_of

NO_REASON = "no reason recorded"
"""The kind of messages that Hopper did not dead-letter."""


class DeadLetter(msgspec.Struct, kw_only=True, frozen=True):
    """One message of the queue, with the values of its headers."""

    message: Message
    properties: Properties
    """Empty: they cannot be read."""
    reason: str
    """Empty: there is none."""
    status: int | None
    index: str | None
    id: str | None
    attempts: int
    time: datetime | None
    """When it was dead-lettered."""
    queue: str | None
    """The queue that it was consumed from."""
    exchange: str | None
    routing_key: str | None
    replays: int
    """How many times it was replayed, and rejected again."""
    deliveries: int
    """How many times the dead-letter queue has delivered it; only quorum queues count."""

    @property
    def kind(self) -> str:
        """Kind of its reason."""
        return kind_of(self.reason) if self.reason else NO_REASON

    @property
    def is_of_stream(self) -> bool:
        """A stream has delivered it, now or before it was rejected."""
        return OFFSET in (self.properties.headers or {})

    def age(self, now: datetime) -> float | None:
        """Return the seconds since it was dead-lettered; `None`: unknown."""
        return None if self.time is None else (now - self.time).total_seconds()


def read(message: Message) -> DeadLetter:
    """Read a message of the queue."""
    try:
        properties = decode(message)
    except ValueError:
        properties = Properties()
    encoded, headers = message.properties, properties.headers

    def find(name: str, kind: type) -> Any:
        value = header(encoded, name.encode()) if headers is None else headers.get(name)
        return value if isinstance(value, kind) and not isinstance(value, bool) else None

    return DeadLetter(
        message=message,
        properties=properties,
        reason=find("x-hopper-reason", str) or "",
        status=find("x-hopper-status", int),
        index=find("x-hopper-index", str),
        id=find("x-hopper-id", str),
        attempts=find("x-hopper-attempts", int) or 0,
        time=_time(find("x-hopper-time", str)),
        queue=find("x-hopper-queue", str),
        exchange=find("x-hopper-exchange", str),
        routing_key=find("x-hopper-routing-key", str),
        replays=find(REPLAYS, int) or 0,
        deliveries=find("x-acquired-count", int) or find("x-delivery-count", int) or 0,
    )


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


class Selection(msgspec.Struct, kw_only=True, frozen=True):
    """A selection of dead letters: all conditions must hold."""

    kinds: Sequence[str] = ()
    """Beginnings of kinds; any of them."""
    reasons: Sequence[str] = ()
    """Parts of reasons; any of them."""
    index: str | None = None
    """`*` matches any text."""
    older_than: float | None = None
    """In seconds; a message of unknown age is neither older nor newer."""
    newer_than: float | None = None

    def holds(self, letter: DeadLetter, now: datetime) -> bool:
        """Return whether a dead letter is selected."""
        age = letter.age(now)
        return (
            (not self.kinds or any(letter.kind.startswith(kind) for kind in self.kinds))
            and (not self.reasons or any(part in letter.reason for part in self.reasons))
            and (self.index is None or fnmatchcase(letter.index or "", self.index))
            and (self.older_than is None or (age is not None and age > self.older_than))
            and (self.newer_than is None or (age is not None and age < self.newer_than))
        )
