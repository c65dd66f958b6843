"""Makes members: a document, its address, and what the aggregator wants to know of it.

Pure. It reads no bodies; what has no place to go to becomes a rejection.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.connector import Addressing
from connectors.message import Message, Origin, Properties, Rejection
from flows.formats import Document, Unreadable, decode
from flows.group import Member
from flows.splitter import Refused, name_of_part
from flows.traits import Look, Traits


class Envelope(NamedTuple):
    """What is the same for all messages that a maker is given together."""

    origin: Origin
    properties: Properties
    now: float
    """The time of arrival, in seconds since 1970."""


Address = tuple[str | None, str | None]
"""Index and `_id`: see `Member`."""


class Maker:
    """Makes members as the spec says."""

    def __init__(self, addressing: Addressing | None, look: Look | None) -> None:
        """Without an `addressing` members have no addresses; without a `look`, no traits."""
        self._addressing, self._look = addressing, look
        self.by_fields = look is not None or (addressing is not None and addressing.needs_document)
        """What becomes of a message depends on its document."""
        self.by_body = addressing is not None and addressing.needs_body
        """What becomes of a message depends on its body, letter by letter."""
        self.addresses_alike = addressing is None or not (
            addressing.needs_document or addressing.needs_body
        )
        """All messages of an envelope have the same address."""

    def address(
        self, envelope: Envelope, fields: dict[str, Any], body: bytes
    ) -> Address | Rejection:
        """Where a document goes."""
        if self._addressing is None:
            return _NOWHERE
        return self._addressing.address(fields, envelope.properties, body, envelope.now)

    def member(
        self,
        envelope: Envelope,
        message: Message,
        document: bytes,
        fields: dict[str, Any],
        address: Address | Rejection,
    ) -> Member | Rejection:
        """The member that a message with this document and this address is."""
        if isinstance(address, Rejection):
            return address
        if self._look is None:
            return Member(envelope.origin, message, document, *address)
        traits = self._look.at(fields, envelope.properties)
        if isinstance(traits, Rejection):
            return traits
        index, id = address
        key, name, marks, size, at, values = traits
        # In full, since this is done for each message: to unpack in the middle costs 0.2 µs.
        row = (envelope.origin, message, document, index, id, key, name, marks, size, at, values)
        return tuple.__new__(Member, row + _WHOLE)

    def part(
        self,
        envelope: Envelope,
        message: Message,
        piece: Document | Refused,
        part: tuple[int, int],
    ) -> Member | Rejection:
        """The member that one document of a message is: which one of how many."""
        if isinstance(piece, Refused):
            return Rejection(f"unreadable: {piece.reason}")
        try:
            fields = decode(piece.source) if self.by_fields else {}
        except Unreadable as error:
            return Rejection(f"unreadable: {error}")
        properties = envelope.properties
        if properties.message_id:
            name = name_of_part(properties.message_id, part[0], piece.source)
            envelope = envelope._replace(properties=properties._replace(message_id=name))
        address = self._address_of_part(envelope, piece, fields)
        member = self.member(envelope, message, piece.source, fields, address)
        if isinstance(member, Rejection):
            return member
        return member._replace(part=part, action=piece.action, routing=piece.routing)

    def _address_of_part(
        self, envelope: Envelope, piece: Document, fields: dict[str, Any]
    ) -> Address | Rejection:
        """What a document says of itself, and what the spec says of the rest."""
        if piece.id is None or self._addressing is None:
            address = self.address(envelope, fields, piece.source)
            if isinstance(address, Rejection):
                return address
            return piece.index or address[0], address[1]
        if piece.index is not None:
            return piece.index, piece.id
        index = self._addressing.index_of(fields, envelope.properties, envelope.now)
        return index if isinstance(index, Rejection) else (index, piece.id)


NO_TRAITS = tuple(Member._field_defaults.values())
"""What follows the address in a member of which nothing is asked."""
_NOWHERE = (None, None)
_WHOLE = NO_TRAITS[len(Traits._fields) :]
