"""The end of a group that the state has: what may be forgotten, and what is dead-lettered first.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connectors.message import Message, Rejected, Rejection
from flows.values.group import Group


class Finished(NamedTuple):
    """A group that the state may forget."""

    number: int
    rejected: Rejected | None = None
    """The document, to be parked before the state forgets it; `None`: it is stored."""


def finished(group: Group, rejected: Mapping[int, Rejection], document: bytes) -> Finished:
    """Return the end of a group; `rejected`: why, by the position of its only document."""
    if not rejected:
        return Finished(group.number)
    message = Message(0, False, b"", b"", document)
    return Finished(group.number, Rejected(message, rejected[0]))
