"""The values that travel between the steps; nothing here decides, waits or knows a service.

Pure. They pickle, because a batch of them may cross from one process to another. Of most there is
one for a batch; of `Message` there is one for each delivery, so it is a struct: that takes half of
the time of a named tuple to make and to look into, and Python looks for no cycles in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec


class Origin(NamedTuple):
    """Which connection of which consumer delivered a message: only there can it be settled."""

    consumer: str
    """Name of the consumer, for example `task_queue/000`; also its partition in Bytewax."""
    generation: int
    """Counts the consumer's connections; the delivery tags of an older one are void."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One delivery, as it came; `route` and `properties` stay in the connector's own form."""

    tag: int
    """Delivery tag: names the message within its `Origin`; ascending in order of arrival."""
    redelivered: bool
    """The broker has handed this message out before."""
    route: bytes
    properties: bytes
    body: bytes


class Properties(NamedTuple):
    """A message's envelope in decoded form; what the sender left out is `None`."""

    exchange: str = ""
    routing_key: str = ""
    content_type: str | None = None
    content_encoding: str | None = None
    headers: dict[str, Any] | None = None
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: int | None = None
    """Of the sending: seconds since 1970, as AMQP has it; what some clients write is of a smaller
    unit."""
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why a message will never be stored, for the person who looks at the parked message."""

    reason: str
    """One line: what is wrong, in the words of the service that refused it."""
    status: int | None = None
    """The sink's status (HTTP's numbers), where the sink refused it."""
    index: str | None = None
    id: str | None = None
    attempts: int = 0
    """How often it was sent to the sink; 0 when it never got that far."""
    foreseen: bool = False
    """No sign that the spec or the mapping is wrong: the spec says so (a late message), it comes of
    a restart, or other documents of the message are stored."""


class Rejected(NamedTuple):
    """A rejected message on its way home, whole, so that it can be parked as it came."""

    message: Message
    rejection: Rejection
    others: Sequence[int] = ()
    """Delivery tags of more messages that it stands for, and that are settled along with it."""


class PartOutcome(NamedTuple):
    """What became of one document of a message that has several."""

    tag: int
    """The message's delivery tag."""
    position: int
    """Of the document in the message, from 0."""
    documents: int
    """How many the message has."""
    rejected: Rejected | None = None
    """With the whole message in it; `None`: stored, or dropped."""
    dropped: bool = False
    summary: bool = False
    """What is rejected is the summary of a group, all that is left of the documents in it; so this
    is what the message in `rejected` holds."""


class Outcomes(NamedTuple):
    """What became of messages of one origin; each message gets exactly one outcome, once."""

    origin: Origin
    stored: list[int]
    """Delivery tags that the sink has stored."""
    rejected: list[Rejected]
    dropped: Sequence[int] = ()
    """Delivery tags to acknowledge though nothing was stored: the spec says so, or they are
    commands."""
    parts: Sequence[PartOutcome] = ()
    """Of messages with several documents: made one outcome again before a consumer sees them."""


class ConsumerCounts(NamedTuple):
    """What a consumer counts itself, since no other place hears of it; all are messages."""

    unread: int = 0
    """Rejected before they were handed over: they were delivered too often."""
    parked: int = 0
    discarded: int = 0
    """Rejected, and left to the queue's own dead lettering."""
    requeued: int = 0
    """Rejected, and requeued before they were parked."""
    stale: int = 0
    """Outcomes that came after their connection was lost."""


class Arrived(NamedTuple):
    """Everything one consumer received since it was last asked."""

    origin: Origin
    messages: list[Message]


class Opened(NamedTuple):
    """A consumer has a connection: sent once, ahead of its first message."""

    origin: Origin


class Lost(NamedTuple):
    """A consumer's connection is gone: what it delivered and is not stored will come again."""

    origin: Origin


class Backpressured(NamedTuple):
    """A consumer is kept waiting by us: its silence does not mean that nothing is there."""

    consumer: str


class Drain(NamedTuple):
    """A request to end the whole job: addressed to every consumer of the cluster."""

    reason: str


class Claim(NamedTuple):
    """A document that never takes the place of one that its writer does not know.

    It is stored where no document has its `_id`, or in place of the one that it `replaces`. Where
    its own fingerprint is found it is stored already: the answer was lost.
    """

    field: str | None
    """Where documents have their fingerprint: a name, dots and all; `None`: nowhere."""
    fingerprint: str
    """The document's own, as its source has it: it tells what is in the document."""
    replaces: str | None = None
    """The fingerprint of the document that it may take the place of; `None`: of none."""


class Documents(NamedTuple):
    """What a sink is asked to store together, in columns: position i of each is one document."""

    sources: list[bytes]
    """One JSON object on one line, each."""
    indices: list[str | None] | None
    """`None`: all go where the sink's spec says."""
    ids: list[str | None] | None
    """`None`: the sink makes up all of them."""
    versions: list[int | None] | None = None
    """Of documents that an older one of the same `_id` must not replace; it counts as stored then.

    `None`: the one that comes later replaces the one before, as the sink's spec says.
    """
    actions: list[str | None] | None = None
    """`index`, `create`, `update` (the source is a part of the document), `upsert` (an update that
    adds what is not there) or `delete` (the source is only there to be parked); `None`: what the
    sink's spec says."""
    routings: list[str | None] | None = None
    """Documents of the same routing lie together; `None`: what the sink's spec says."""
    redelivered: list[bool] | None = None
    """Whose messages were delivered before, so that they may be stored already; `None`: of none, or
    it need not be known, as each has an `_id`."""
    claims: list[Claim | None] | None = None
    """Of documents that have an `_id`, are whole, and may not replace each other at will."""


class Answer(NamedTuple):
    """What a sink says of some of the documents that it was given, by their positions."""

    stored: Sequence[int]
    rejected: list[tuple[int, Rejection]]
    conflicts: Mapping[int, str | None] = MappingProxyType({})
    """Neither stored nor rejected: another document has the `_id` that was claimed. With the
    fingerprint of that one; `None`: it has none, or none where it was looked for."""


class SinkState(NamedTuple):
    """What a sink says now, after its last answer or want of one."""

    answers: bool = True
    """It can be reached, and answers, be it with a refusal."""
    refusal: str | None = None
    """Why it takes no documents: its status and its words; `None`: it takes them."""
    has_backlog: bool = False
    """It works as much as it may, and documents wait behind that: more messages gain nothing."""


class SinkPace(NamedTuple):
    """How much a sink may send now; it finds that out by itself."""

    in_flight: int = 0
    """Requests without a response yet."""
    concurrency: int = 0
    """Requests that may be in flight at a time."""
    max_bytes: int = 0
    """Size of the largest request, in bytes."""
