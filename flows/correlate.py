"""Reads each message once: everything that later steps want to know of it is taken here.

Pure: time is an argument. It keeps no state; a message that cannot be read, or that has no place
to go to, becomes a rejection, not an error.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

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
from flows.formats import Format, Unreadable, reader


class Correlate:
    """Turns messages into members of groups."""

    def __init__(
        self, format: Format, properties: Callable[[Message], Properties], addressing: Addressing
    ) -> None:
        """`properties` decodes an envelope, or raises `ValueError`."""
        self._format: Format = format
        self._properties = properties
        self._addressing = addressing
        self._by_message = addressing.needs_document or addressing.needs_body

    def read(self, arrived: Arrived, now: float) -> tuple[list[Member], list[Rejected]]:
        """Read all messages, in order; `now` is the time of arrival, in seconds since 1970."""
        members: list[Member] = []
        rejected: list[Rejected] = []
        # Messages mostly have the envelope of the one before: it is opened once for all of them.
        for _, run in groupby(arrived.messages, _ENVELOPE):
            messages = list(run)
            try:
                properties = self._properties(messages[0])
            except ValueError as error:
                rejected += [Rejected(message, _unreadable(error)) for message in messages]
            else:
                self._read_bodies(messages, properties, arrived.origin, now, members, rejected)
        return members, rejected

    def _read_bodies(
        self,
        messages: list[Message],
        properties: Properties,
        origin: Origin,
        now: float,
        members: list[Member],
        rejected: list[Rejected],
    ) -> None:
        """Read messages of one envelope. This is the loop whose cost counts for each message."""
        read, new = reader(self._format, properties.content_type), tuple.__new__
        common = None if self._by_message else self._address(b"", properties, b"", now)
        for message in messages:
            try:
                document = read(message.body, now)
            except Unreadable as error:
                rejected.append(Rejected(message, _unreadable(error)))
                continue
            address = common or self._address(document, properties, message.body, now)
            if isinstance(address, Rejection):
                rejected.append(Rejected(message, address))
            else:
                members.append(new(Member, (origin, message, document, *address)))

    def _address(
        self, document: bytes, properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None] | Rejection:
        try:
            fields = msgspec.json.decode(document) if self._addressing.needs_document else {}
        except ValueError as error:
            return _unreadable(error)
        return self._addressing.address(fields, properties, body, now)


_ENVELOPE = attrgetter("route", "properties")


def _unreadable(error: ValueError) -> Rejection:
    return Rejection(f"unreadable: {error}")
