"""Builds members: a document, its address, and the values that `aggregate` needs.

Pure. It reads no bodies; a document without a valid address becomes a rejection.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from connectors.connector import Addressing
from connectors.message import Message, Origin, Properties, Rejection
from flows.messages.containers import Refused
from flows.messages.extract import Address, Extractor
from flows.messages.formats import Document, Unreadable, decoder
from flows.messages.splitter import name_of_part
from flows.values.group import DISTINCT, FullMember, Member


class Envelope(NamedTuple):
    """The values that all messages of one envelope have in common."""

    origin: Origin
    properties: Properties
    now: float
    """The time of arrival, in seconds since 1970."""


class MemberBuilder:
    """Makes members as the spec says."""

    def __init__(self, addressing: Addressing | None, extractor: Extractor | None) -> None:
        """Without `addressing`, members have no address; without `extractor`, no values."""
        self._addressing = addressing
        self._max_id_bytes = None if addressing is None else addressing.max_id_bytes
        self.address = _nowhere if addressing is None else addressing.address
        """Returns the address of a document: see `Addressing.address`."""
        self.member = _member if extractor is None else extractor.member
        """Returns a member: see `Extractor.member`."""
        self._names_messages = extractor is not None and extractor.names_messages
        fields = _fields(addressing, extractor)
        self.by_fields = fields is None or bool(fields)
        """Members depend on fields of the document."""
        self.decode = decoder(fields)
        """Decodes these fields."""
        self.addresses_alike = addressing is None or not (
            addressing.fields or addressing.needs_body
        )
        """All messages of an envelope have the same address."""
        self.makes_alike = self.addresses_alike and extractor is None
        """Members depend on nothing but the envelope."""

    def part(
        self,
        envelope: Envelope,
        message: Message,
        piece: Document | Refused,
        part: tuple[int, int],
    ) -> Member | Rejection:
        """Return the member of one document; `part`: its position, and the number of documents."""
        if isinstance(piece, Refused):
            return Rejection(f"unreadable: {piece.reason}")
        if piece.action == "delete" and self._addressing is None:
            return Rejection("unreadable: delete: a summary needs documents, and delete has none")
        try:
            fields = self.decode(piece.source) if self.by_fields else {}
        except Unreadable as error:
            return Rejection(f"unreadable: {error}")
        properties = envelope.properties
        if properties.message_id:
            name = name_of_part(properties.message_id, part[0], piece.source, self._max_id_bytes)
            envelope = envelope._replace(properties=properties._replace(message_id=name))
        address = self._address_of_part(envelope, piece, fields)
        if isinstance(address, Rejection):
            return address
        origin, properties, _ = envelope
        member = self.member(origin, message, piece.source, address, fields, properties)
        if isinstance(member, Rejection):
            return member
        own = member.message_id
        if member.marks & DISTINCT and self._names_messages:
            own = f"{own}#{part[0]}"
        return replace(
            member, part=part, action=piece.action, routing=piece.routing, message_id=own
        )

    def _address_of_part(
        self, envelope: Envelope, piece: Document, fields: dict[str, Any]
    ) -> Address | Rejection:
        """Return the address that the document names, completed by the spec."""
        if piece.id is None or self._addressing is None:
            address = self.address(fields, envelope.properties, piece.source, envelope.now)
            if isinstance(address, Rejection):
                return address
            return piece.index or address[0], address[1]
        if piece.index is not None:
            return piece.index, piece.id
        index = self._addressing.index_of(fields, envelope.properties, envelope.now)
        return index if isinstance(index, Rejection) else (index, piece.id)


def _nowhere(
    _document: Mapping[str, Any], _properties: Properties, _body: bytes, _now: float
) -> Address | Rejection:
    return None, None


def _member(
    origin: Origin,
    message: Message,
    source: bytes,
    address: Address,
    _document: dict[str, Any],
    _properties: Properties,
) -> Member:
    return FullMember(origin, message, source, *address)


def _fields(addressing: Addressing | None, extractor: Extractor | None) -> Collection[str] | None:
    of_address = () if addressing is None else addressing.fields
    if extractor is None:
        return of_address
    return None if extractor.fields is None else extractor.fields.union(of_address)
