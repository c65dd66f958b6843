"""Reads each message once: everything that later steps want to know of it is taken here.

Pure: time is an argument. It keeps no state; a message that cannot be read, or that has no place
to go to, becomes a rejection, not an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from connectors.connector import Addressing
from connectors.message import (
    Arrived,
    Message,
    Origin,
    Outcomes,
    PartOutcome,
    Properties,
    Rejected,
    Rejection,
)
from flows.commands import Command, is_command, read_command
from flows.crossing import Members
from flows.formats import Document, Unreadable, decode
from flows.group import Member
from flows.splitter import Reading, Refused, Splitter, name_of_part
from flows.traits import Look, Traits


class Correlated(NamedTuple):
    """What became of messages that arrived together."""

    members: Members
    commands: list[tuple[int, Command]]
    """Each with the number of members that came before it."""
    outcomes: Outcomes
    """Of messages that will be no members."""


class Correlate:
    """Turns messages into members of groups."""

    def __init__(
        self,
        splitter: Splitter,
        properties: Callable[[Message], Properties],
        addressing: Addressing | None,
        look: Look | None = None,
    ) -> None:
        """`properties` decodes an envelope, or raises `ValueError`.

        Without an `addressing` members have no addresses; without a `look`, no traits.
        """
        self._splitter, self._properties = splitter, properties
        self._addressing, self._look = addressing, look
        self._keyed = look is not None and look.keyed
        self._by_body = addressing is not None and addressing.needs_body
        self._by_fields = look is not None or (addressing is not None and addressing.needs_document)

    def read(self, arrived: Arrived, now: float) -> Correlated:
        """Read all messages, in order; `now` is the time of arrival, in seconds since 1970."""
        into = Correlated(Members(), [], Outcomes(arrived.origin, [], [], [], []))
        # Messages mostly have the envelope of the one before: it is opened once for all of them.
        for _, run in groupby(arrived.messages, _ENVELOPE):
            messages = list(run)
            try:
                properties = self._properties(messages[0])
                reading = self._splitter.reading(properties)
            except ValueError as error:
                rejection = _unreadable(error)
                into.outcomes.rejected.extend(Rejected(message, rejection) for message in messages)
                continue
            if is_command(properties):
                self._obey(messages, properties, reading, now, into)
            elif self._by_fields or self._by_body:
                self._read_each(messages, properties, reading, now, into)
            else:
                self._read_alike(messages, properties, reading, now, into)
        return into

    def _read_alike(
        self,
        messages: list[Message],
        properties: Properties,
        reading: Reading,
        now: float,
        into: Correlated,
    ) -> None:
        """Read messages of one envelope that go to one place: the loop whose cost counts most."""
        read, new, origin, members = reading.read, tuple.__new__, into.outcomes.origin, into.members
        address = self._address({}, properties, b"", now)
        for message in messages:
            try:
                document = read(message.body, now)
            except Unreadable as error:
                into.outcomes.rejected.append(Rejected(message, _unreadable(error)))
                continue
            if document.__class__ is list:
                self._read_pieces(message, document, properties, now, into)
            elif isinstance(address, Rejection):
                into.outcomes.rejected.append(Rejected(message, address))
            else:
                members.append(new(Member, (origin, message, document, *address, *_NO_TRAITS)))

    def _read_each(
        self,
        messages: list[Message],
        properties: Properties,
        reading: Reading,
        now: float,
        into: Correlated,
    ) -> None:
        """Read messages of one envelope that are looked into."""
        for message in messages:
            try:
                if self._by_fields:
                    found = reading.read_fields(message.body, now)
                else:
                    document = reading.read(message.body, now)
                    found = document if isinstance(document, list) else (document, {})
            except Unreadable as error:
                into.outcomes.rejected.append(Rejected(message, _unreadable(error)))
                continue
            if isinstance(found, list):
                self._read_pieces(message, found, properties, now, into)
                continue
            body, origin = message.body, into.outcomes.origin
            member = self._member(origin, message, *found, body, properties, now)
            if isinstance(member, Rejection):
                into.outcomes.rejected.append(Rejected(message, member))
            else:
                into.members.append(member)

    def _member(
        self,
        origin: Origin,
        message: Message,
        document: bytes,
        fields: dict[str, Any],
        body: bytes,
        properties: Properties,
        now: float,
    ) -> Member | Rejection:
        address = self._address(fields, properties, body, now)
        if isinstance(address, Rejection):
            return address
        if self._look is None:
            return Member(origin, message, document, *address)
        traits = self._look.at(fields, properties)
        if isinstance(traits, Rejection):
            return traits
        return tuple.__new__(Member, (origin, message, document, *address, *traits, *_WHOLE))

    def _read_pieces(
        self,
        message: Message,
        pieces: Sequence[Document | Refused],
        properties: Properties,
        now: float,
        into: Correlated,
    ) -> None:
        """Read the documents of a message that has several."""
        for position, piece in enumerate(pieces):
            member = self._piece(into.outcomes.origin, message, piece, position, properties, now)
            if isinstance(member, Member):
                into.members.append(member._replace(part=(position, len(pieces))))
            else:
                rejected = Rejected(message, member)
                outcome = PartOutcome(message.tag, position, len(pieces), rejected)
                into.outcomes.parts.append(outcome)  # type: ignore[attr-defined]

    def _piece(
        self,
        origin: Origin,
        message: Message,
        piece: Document | Refused,
        position: int,
        properties: Properties,
        now: float,
    ) -> Member | Rejection:
        if isinstance(piece, Refused):
            return Rejection(f"unreadable: {piece.reason}")
        try:
            fields = decode(piece.source) if self._by_fields else {}
        except Unreadable as error:
            return _unreadable(error)
        if properties.message_id:
            name = name_of_part(properties.message_id, position)
            properties = properties._replace(message_id=name)
        source = piece.source
        member = self._member(origin, message, source, fields, source, properties, now)
        if isinstance(member, Rejection):
            return member
        return member._replace(
            index=piece.index or member.index,
            id=piece.id or member.id,
            action=piece.action,
            routing=piece.routing,
        )

    def _obey(
        self,
        messages: list[Message],
        properties: Properties,
        reading: Reading,
        now: float,
        into: Correlated,
    ) -> None:
        """Commands are settled when they are passed on: they have nothing that could be lost."""
        for message in messages:

            def own_key(body: bytes = message.body) -> object:
                return self._own_key(body, properties, reading, now)

            command = read_command(properties, own_key if self._keyed else None)
            if isinstance(command, Rejection):
                into.outcomes.rejected.append(Rejected(message, command))
            else:
                into.commands.append((len(into.members), command))
                into.outcomes.dropped.append(message.tag)  # type: ignore[attr-defined]

    def _own_key(self, body: bytes, properties: Properties, reading: Reading, now: float) -> object:
        """The key of a command, whose body may be empty where the key stands in the envelope."""
        assert self._look is not None
        try:
            found = reading.read_fields(body, now)
        except Unreadable:
            found = []
        return self._look.key({} if isinstance(found, list) else found[1], properties)

    def _address(
        self, fields: dict[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None] | Rejection:
        if self._addressing is None:
            return _NOWHERE
        return self._addressing.address(fields, properties, body, now)


_ENVELOPE = attrgetter("route", "properties")
_NOWHERE = (None, None)
_NO_TRAITS = tuple(Member._field_defaults.values())
_WHOLE = _NO_TRAITS[len(Traits._fields) :]


def _unreadable(error: ValueError) -> Rejection:
    return Rejection(f"unreadable: {error}")
