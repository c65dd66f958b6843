"""A message in the queue, and its outcome. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from connectors.message import Properties

PLAIN = Properties()


class Delivery(NamedTuple):
    """A message in the queue."""

    body: bytes
    properties: Properties = PLAIN
    redelivered: bool = False
    number: int = 0
    """Counts the messages that were published, from 1; a redelivered message keeps its number."""


class Settled(NamedTuple):
    """The final outcome of a message."""

    how: Literal["stored", "dropped", "kept", "parked"]
    body: bytes
    """Of a summary that is parked: the summary."""
    properties: Properties
    reason: str | None = None
    """Why it is parked."""
    numbers: Sequence[int] = ()
    """See `Delivery`; a summary that is parked settles all its messages."""
