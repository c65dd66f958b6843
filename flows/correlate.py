"""Reads each message once: everything that later steps want to know of it is taken here.

Pure: time is an argument. It keeps no state; a message that cannot be read, or that has no place
to go to, becomes a rejection, not an error.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from connectors.connector import Addressing
from connectors.message import (
    Arrived,
    Member,
    Message,
    Origin,
    Properties,
    Rejected,
    Rejection,
)
from flows.formats import Format, reader


class Correlate:
    """Turns messages into members of groups."""

    def __init__(
        self, format: Format, properties: Callable[[Message], Properties], addressing: Addressing
    ) -> None:
        """`properties` decodes an envelope, or raises `ValueError`."""
        self._format: Format = format
        self._properties = properties
        self._addressing = addressing

    def read(self, arrived: Arrived, now: float) -> tuple[list[Member], list[Rejected]]:
        """Read all messages, in order; `now` is the time of arrival, in seconds since 1970."""
        members, rejected = [], []
        for message in arrived.messages:
            result = self._read(arrived.origin, message, now)
            if isinstance(result, Member):
                members.append(result)
            else:
                rejected.append(Rejected(message, result))
        return members, rejected

    def _read(self, origin: Origin, message: Message, now: float) -> Member | Rejection:
        try:
            properties = self._properties(message)
            document = reader(self._format, properties.content_type)(message.body, now)
            fields = msgspec.json.decode(document) if self._addressing.needs_document else {}
        except ValueError as error:
            return Rejection(f"unreadable: {error}")
        address = self._addressing.address(fields, properties, message.body, now)
        if isinstance(address, Rejection):
            return address
        return Member(origin, message, document, *address)
