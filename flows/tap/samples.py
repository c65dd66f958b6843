"""Makes samples of what passes at a step.

Pure. A sample has the beginning of a body only, and none of the objects of the flow, so that it
takes little memory for as long as it waits for its reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from connectors.message import Answer, Documents, Message, Properties, Rejected, Rejection
from flows.values.group import Group, Member

BODY_KEPT = 2000
"""Bytes that are kept of a body or a document."""
TEXT_KEPT = 500
"""Characters that are kept of a key, a reason, a routing key or an `_id`."""

Place = Literal["read", "aggregate", "write", "dead-letter"]
"""Where a sample is taken."""


class Shortened(msgspec.Struct):
    """The beginning of a body or a document."""

    text: str
    """What is no text in UTF-8 is replaced."""
    omitted_bytes: int


class ReadSample(msgspec.Struct, tag_field="place", tag="read", kw_only=True):
    """A message that has been read, or one document of a split message."""

    at: float
    """In seconds since 1970."""
    queue: str
    routing_key: str | None
    """Null: the envelope cannot be decoded."""
    key: str | None
    """Of its group, as canonical JSON; null: there is no `by`."""
    redelivered: bool
    body: Shortened
    """The JSON object that it was read as: the body itself, if that is one."""


class GroupSample(msgspec.Struct, tag_field="place", tag="aggregate", kw_only=True):
    """A group that leaves `aggregate`."""

    at: float
    key: str | None
    completed_by: str
    members: int
    start: float
    """Of an aligned window, else the arrival of the first member; in seconds since 1970."""
    end: float


class DocumentSample(msgspec.Struct, tag_field="place", tag="write", kw_only=True):
    """A document whose answer has come."""

    at: float
    key: str | None
    """Of its group."""
    action: str | None
    """Null: the one of the spec."""
    index: str | None
    id: str | None
    """Null: Elasticsearch makes one."""
    document: Shortened
    result: Literal["stored", "rejected"]
    reason: str | None
    """Why it is rejected; null: it is stored."""


class DeadLetterSample(msgspec.Struct, tag_field="place", tag="dead-letter", kw_only=True):
    """A message on its way to the dead letters, or the summary that stands for several."""

    at: float
    queue: str
    routing_key: str | None
    reason: str
    status: int | None
    """The HTTP status of the refusal; null: the sink did not refuse it."""
    messages: int
    """Messages that are settled with it."""
    body: Shortened


Sample = ReadSample | GroupSample | DocumentSample | DeadLetterSample


class Answered(NamedTuple):
    """A document, and the sink's answer about it."""

    group: Group
    documents: Documents
    position: int
    rejection: Rejection | None
    """`None`: it is stored."""


class AnsweredDocuments:
    """The documents of one answer; makes only those that are looked at."""

    def __init__(self, group: Group, documents: Documents, answer: Answer) -> None:
        self._group, self._documents = group, documents
        self._stored, self._rejected = answer.stored, answer.rejected

    def __len__(self) -> int:
        return len(self._stored) + len(self._rejected)

    def __getitem__(self, number: int) -> Answered:
        if number < len(self._stored):
            return Answered(self._group, self._documents, self._stored[number], None)
        position, rejection = self._rejected[number - len(self._stored)]
        return Answered(self._group, self._documents, position, rejection)


class RejectedFrom(NamedTuple):
    """A rejected message, and the consumer that has received it."""

    consumer: str
    rejected: Rejected


class Envelopes(NamedTuple):
    """What the source knows of a message beside its body: see `connectors.connector.Source`."""

    queue_of: Callable[[str], str]
    """Returns the queue of a consumer."""
    properties: Callable[[Message], Properties]
    """Decodes the envelope; raises `ValueError`."""

    def routing_key(self, message: Message) -> str | None:
        """Return the routing key; `None`: the envelope cannot be decoded."""
        try:
            return self.properties(message).routing_key[:TEXT_KEPT]
        except ValueError:
            return None


def of_member(member: Member, at: float, envelopes: Envelopes) -> ReadSample:
    """Return the sample of a member."""
    return ReadSample(
        at=at,
        queue=envelopes.queue_of(member.origin.consumer),
        routing_key=envelopes.routing_key(member.message),
        key=_short(member.key),
        redelivered=member.message.redelivered,
        body=shortened(member.document),
    )


def of_group(group: Group, at: float) -> GroupSample:
    """Return the sample of a complete group."""
    return GroupSample(
        at=at,
        key=_short(group.key),
        completed_by=group.completed_by,
        members=group.summary.count if group.summary else len(group.members),
        start=group.start,
        end=group.end,
    )


def of_document(answered: Answered, at: float, index: str | None) -> DocumentSample:
    """Return the sample of a document; `index`: for documents that name none."""
    group, documents, position, rejection = answered
    own_index = documents.indices[position] if documents.indices is not None else None
    return DocumentSample(
        at=at,
        key=_short(group.key),
        action=documents.actions[position] if documents.actions is not None else None,
        index=own_index or index,
        id=_short(documents.ids[position]) if documents.ids is not None else None,
        document=shortened(documents.sources[position]),
        result="stored" if rejection is None else "rejected",
        reason=None if rejection is None else _short(rejection.reason),
    )


def of_rejected(one: RejectedFrom, at: float, envelopes: Envelopes) -> DeadLetterSample:
    """Return the sample of a rejected message."""
    message, rejection, others = one.rejected
    return DeadLetterSample(
        at=at,
        queue=envelopes.queue_of(one.consumer),
        routing_key=envelopes.routing_key(message),
        reason=rejection.reason[:TEXT_KEPT],
        status=rejection.status,
        messages=1 + len(others),
        body=shortened(message.body),
    )


def shortened(body: bytes) -> Shortened:
    """Return the beginning of a body."""
    return Shortened(body[:BODY_KEPT].decode(errors="replace"), max(0, len(body) - BODY_KEPT))


def _short(text: str | None) -> str | None:
    return None if text is None else text[:TEXT_KEPT]
