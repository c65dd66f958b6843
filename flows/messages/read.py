"""Reads each message once, and extracts everything that later steps need.

Pure: time is an argument. It keeps no state; a message that is unreadable, or that has no valid
address, becomes a rejection, not an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from msgspec.structs import replace

from connectors.connector import Addressing, Source
from connectors.message import (
    Arrived,
    Message,
    Origin,
    Outcomes,
    PartOutcome,
    Properties,
    Rejected,
    Rejection,
    Run,
)
from flows.messages.commands import Command, is_command, read_command
from flows.messages.containers import Refused
from flows.messages.extract import Address, Extractor, make_extraction_spec
from flows.messages.formats import Document, Unreadable
from flows.messages.member_builder import Envelope, MemberBuilder
from flows.messages.splitter import Reading, Splitter
from flows.spec import Pipeline
from flows.values.columnar import Members
from flows.values.group import ABSENT, Member, PlainMember
from flows.values.paths import Path


class ReadMessages:
    """The members, commands and rejections of messages that arrived together."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.members = Members()
        self.commands: list[tuple[int, Command]] = []
        """Each with the number of members before it."""
        self._rejected: list[Rejected] = []
        self._parts: list[PartOutcome] = []
        self._obeyed: list[int] = []

    @property
    def outcomes(self) -> Outcomes | None:
        """The outcomes of messages that are not members; `None`: there are none."""
        if not (self._rejected or self._parts or self._obeyed):
            return None
        return Outcomes(self.origin, [], self._rejected, self._obeyed, self._parts)

    def take(self, message: Message, member: Member | Rejection) -> None:
        """Add the member or the rejection of a message."""
        if isinstance(member, Rejection):
            self._rejected.append(Rejected(message, member))
        else:
            self.members.append(member)

    def take_part(
        self, message: Message, member: Member | Rejection, position: int, count: int
    ) -> None:
        """Add the member or the rejection of one document of a split message."""
        if isinstance(member, Rejection):
            rejected = Rejected(message, member)
            self._parts.append(PartOutcome(message.tag, position, count, rejected))
        else:
            self.members.append(member)

    def obey(self, message: Message, command: Command) -> None:
        """Add a command, and settle it: it has no data that could be lost."""
        self.commands.append((len(self.members), command))
        self._obeyed.append(message.tag)


class MessageReader:
    """Turns messages into members of groups."""

    def __init__(
        self,
        splitter: Splitter,
        source: Source,
        builder: MemberBuilder,
        extractor: Extractor | None = None,
    ) -> None:
        """`source`: decodes envelopes."""
        self._splitter, self._source, self._builder = splitter, source, builder
        self._extractor = extractor if extractor is not None and extractor.keyed else None

    def read(self, arrived: Arrived, now: float) -> ReadMessages:
        """Read all messages, in order; `now`: the time of arrival, in seconds since 1970."""
        into = ReadMessages(arrived.origin)
        for run in self._source.runs(arrived.messages):
            try:
                reading = self._reading(run)
            except ValueError as error:
                for message in run.messages:
                    into.take(message, _unreadable(error))
                continue
            first = run.properties[0]
            if first.headers is not None and is_command(first):
                self._obey(run, reading, into, now)
            elif self._builder.makes_alike:
                self._read_alike(run, reading, into, now)
            else:
                self._read_each(run, reading, into, now)
        return into

    def only(self, message: Message, positions: Sequence[int]) -> Message:
        """Return the message with only its documents at these positions."""
        reading = self._splitter.reading(self._source.properties(message))
        return replace(message, body=reading.only(message.body, positions))

    def _reading(self, run: Run) -> Reading:
        if run.problem:
            raise ValueError(run.problem)
        return self._splitter.reading(run.properties[0])

    def _addresses(self, run: Run, now: float) -> Iterable[Address | Rejection]:
        """Return the address of each message, if no document has a part in it."""
        address = self._builder.address
        if len(run.properties) == 1:
            return repeat(address({}, run.properties[0], b"", now))
        return [address({}, properties, b"", now) for properties in run.properties]

    def _read_alike(self, run: Run, reading: Reading, into: ReadMessages, now: float) -> None:
        """Read messages that differ in their addresses at most: this loop costs the most."""
        read, origin, members = reading.read, into.origin, into.members
        for message, properties, address in zip(
            run.messages, run.of_each(), self._addresses(run, now), strict=False
        ):
            try:
                document = read(message.body, now)
            except Unreadable as error:
                into.take(message, _unreadable(error))
                continue
            if isinstance(document, list):
                self._read_parts(message, document, Envelope(origin, properties, now), into)
            elif isinstance(address, Rejection):
                into.take(message, address)
            else:
                members.append(PlainMember(origin, message, document, address[0], address[1]))

    def _read_each(self, run: Run, reading: Reading, into: ReadMessages, now: float) -> None:
        """Read messages whose documents matter."""
        builder, members, origin = self._builder, into.members, into.origin
        addresses = self._addresses(run, now) if builder.addresses_alike else repeat(None)
        for message, properties, alike in zip(run.messages, run.of_each(), addresses, strict=False):
            try:
                if builder.by_fields:
                    found = reading.read_fields(message.body, now)
                else:
                    document = reading.read(message.body, now)
                    found = document if isinstance(document, list) else (document, {})
            except Unreadable as error:
                into.take(message, _unreadable(error))
                continue
            if isinstance(found, list):
                self._read_parts(message, found, Envelope(origin, properties, now), into)
                continue
            document, fields = found
            address = alike or builder.address(fields, properties, message.body, now)
            if isinstance(address, Rejection):
                into.take(message, _explained(address, reading, message, document))
                continue
            member = builder.member(origin, message, document, address, fields, properties)
            if isinstance(member, Rejection):
                into.take(message, _explained(member, reading, message, document))
            else:
                members.append(member)

    def _read_parts(
        self,
        message: Message,
        pieces: Sequence[Document | Refused],
        envelope: Envelope,
        into: ReadMessages,
    ) -> None:
        """Read the documents of a split message."""
        for position, piece in enumerate(pieces):
            part = (position, len(pieces))
            into.take_part(message, self._builder.part(envelope, message, piece, part), *part)

    def _obey(self, run: Run, reading: Reading, into: ReadMessages, now: float) -> None:
        for message, properties in zip(run.messages, run.of_each(), strict=False):
            own_key = self._own_key(message.body, properties, reading, now)
            command = read_command(properties, own_key, keyed=self._extractor is not None)
            if isinstance(command, Rejection):
                into.take(message, command)
            else:
                into.obey(message, command)

    def _own_key(self, body: bytes, properties: Properties, reading: Reading, now: float) -> object:
        """Return the key of a command; its body may be empty if the key is in the envelope."""
        if self._extractor is None:
            return ABSENT
        try:
            found = reading.read_fields(body, now)
        except Unreadable:
            found = []
        return self._extractor.key({} if isinstance(found, list) else found[1], properties)


def make_readers(
    spec: Pipeline,
    source: Source,
    addressing: Callable[[str], Addressing],
    values: Sequence[Path],
) -> Mapping[str, MessageReader]:
    """Translate a spec to a reader for each queue; return them by the names of consumers.

    `values`: the paths whose values travel with each member.
    """
    readers = {
        queue: _reader(spec, source, addressing(queue), values, queue)
        for queue in spec.source.chosen.queue
    }
    return {name: readers[source.queue_of(name)] for name in source.consumers()}


def _reader(
    spec: Pipeline,
    source: Source,
    addressing: Addressing,
    values: Sequence[Path],
    queue: str,
) -> MessageReader:
    given, aggregate = spec.source.chosen, spec.aggregate
    offset = None if spec.state is None else source.offset
    extraction = make_extraction_spec(aggregate, queue, values, offset)
    extractor = Extractor(extraction) if extraction.asks else None
    builder = MemberBuilder(addressing if aggregate.reduce is None else None, extractor)
    splitter = Splitter(given.format, given.max_message, addressing, given.indices, builder.decode)
    return MessageReader(splitter, source, builder, extractor)


def _unreadable(error: ValueError) -> Rejection:
    return Rejection(f"unreadable: {error}")


def _explained(
    rejection: Rejection, reading: Reading, message: Message, document: bytes
) -> Rejection:
    """Return the rejection, with its cause where broken JSON was taken as text without a field."""
    if not reading.is_guessed_text(message.body, document):
        return rejection
    return replace(rejection, reason=f"{rejection.reason}; {_TEXT}")


_TEXT = "the body is no JSON object, so it is text"
