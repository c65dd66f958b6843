"""The values that travel between the steps and the connectors; nothing here decides or waits.

Pure. They pickle, because a batch of them may travel to another process. Most of them exist once
for a batch. `Message` exists once for each delivery, so it is a struct: to make and to read one
takes half the time of a named tuple, and Python's garbage collector skips it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec


class Origin(NamedTuple):
    """The consumer and the connection that delivered a message: only there it can be settled."""

    consumer: str
    """Name of the consumer, such as `task_queue/000`; also its partition in Bytewax."""
    generation: int
    """Number of the connection; the delivery tags of earlier ones are void."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One delivery, as received; `route` and `properties` stay in the connector's encoding."""

    tag: int
    """Delivery tag: names the message within its `Origin`; ascends in order of arrival."""
    redelivered: bool
    """The broker may have delivered this message before."""
    route: bytes
    properties: bytes
    body: bytes


class Properties(NamedTuple):
    """A message's decoded envelope; `None`: the sender omitted the property."""

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
    """When it was sent, in seconds since 1970 by AMQP; some clients write a smaller unit."""
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None


class Run(NamedTuple):
    """Consecutive messages whose envelopes are equal but for the `message_id`."""

    messages: list[Message]
    properties: Sequence[Properties]
    """Of each message; a single one: all messages have it."""
    problem: str = ""
    """Why the properties cannot be read; there are none then."""

    def of_each(self) -> Iterable[Properties]:
        """Return the properties of each message; it may continue after the last one."""
        return repeat(self.properties[0]) if len(self.properties) == 1 else self.properties


class Rejection(msgspec.Struct, frozen=True):
    """Why a message will never be stored, for the reader of the parked message."""

    reason: str
    """One line; if a service refused the message, in its words."""
    status: int | None = None
    """The HTTP status of the refusal; `None`: the sink did not refuse it."""
    index: str | None = None
    id: str | None = None
    attempts: int = 0
    """How many times it was sent to the sink."""
    foreseen: bool = False
    """It does not show an error in the spec or the mapping: the spec rejects it (a late message), a
    restart causes it, or other documents of the message are stored."""


class Rejected(NamedTuple):
    """A rejected message, with its body and envelope, so that it can be parked as received."""

    message: Message
    rejection: Rejection
    others: Sequence[int] = ()
    """Delivery tags of further messages that are settled together with it."""


class PartOutcome(NamedTuple):
    """The outcome of one document of a split message."""

    tag: int
    """The message's delivery tag."""
    position: int
    """Position of the document in the message, from 0."""
    documents: int
    """Number of documents of the message."""
    rejected: Rejected | None = None
    """The rejected message as a whole; `None`: stored or dropped."""
    dropped: bool = False
    kept: bool = False
    """As in `Outcomes`."""
    summary: bool = False
    """The body in `rejected` is the summary of a group: the documents themselves are not kept."""


class Outcomes(NamedTuple):
    """The outcomes of messages of one origin; each message gets exactly one."""

    origin: Origin
    stored: list[int]
    """Delivery tags of stored messages."""
    rejected: list[Rejected]
    dropped: Sequence[int] = ()
    """Delivery tags of messages to acknowledge without storing them: the spec drops them, or they
    are commands."""
    parts: Sequence[PartOutcome] = ()
    """Outcomes of documents of split messages; `SplitMessages` merges them before settling."""
    kept: Sequence[int] = ()
    """Delivery tags of messages to acknowledge because the job's durable state counts them."""


class ConsumerCounts(NamedTuple):
    """Numbers of messages that only a consumer can count."""

    unread: int = 0
    """Rejected before `take`, because they were delivered too many times."""
    parked: int = 0
    left_to_broker: int = 0
    """Rejected without requeue, so that the queue's own dead-letter exchange gets them."""
    requeued: int = 0
    """Rejected, and requeued before they were parked."""
    stale: int = 0
    """Outcomes of connections that are gone."""


class Arrived(NamedTuple):
    """The messages that one consumer received since the last `take`."""

    origin: Origin
    messages: list[Message]


class Opened(NamedTuple):
    """A consumer has a new connection: emitted once, before its first message."""

    origin: Origin


class StreamOpened(NamedTuple):
    """A new connection reads a stream: emitted once, after `Opened` and before its first message.

    The offsets of its messages ascend.
    """

    origin: Origin
    stream: str
    """Tells the stream from one that was deleted and made anew under the same name."""


class Lost(NamedTuple):
    """A consumer's connection is gone: the broker redelivers its unacknowledged messages."""

    origin: Origin


class Backpressured(NamedTuple):
    """Back-pressure stops a consumer: its silence does not mean that the queue is empty."""

    consumer: str


class Reload(NamedTuple):
    """A request to start anew after a drain, with the file that declares the job as it is then."""

    old: str
    """Fingerprint of the file that the process that requests it runs."""
    new: str
    """Fingerprint of the file that it is to run."""


class Drain(NamedTuple):
    """A request to every consumer of the cluster to drain the job."""

    reason: str
    reload: Reload | None = None
    """`None`: the job ends after the drain."""


EARLY = "early:"
"""A fingerprint that begins with this is early: each claim may replace its document."""


class Claim(NamedTuple):
    """The condition under which a document may be stored.

    It is stored if no document has its `_id`, or if that document has the fingerprint that it
    `replaces`, or an early one. If that document has its own fingerprint, it is stored already: the
    answer was lost.
    """

    field: str | None
    """The name of the field with the fingerprint, which may have dots; `None`: there is none."""
    fingerprint: str
    """The fingerprint of this document, which its source has too."""
    replaces: str | None = None
    """The fingerprint of the document that it may replace; `None`: only an early one."""

    def may_replace(self, there: str) -> bool:
        """Return whether it may replace a document with the fingerprint `there`."""
        return there == self.replaces or there.startswith(EARLY)


class Documents(NamedTuple):
    """The documents that a sink stores together, in columns: position i of each is one document."""

    sources: list[bytes]
    """One JSON object on one line, each."""
    indices: list[str | None] | None
    """`None`: the one index of the sink's spec."""
    ids: list[str | None] | None
    """`None`: the sink makes all of them."""
    versions: list[int | None] | None = None
    """External versions: an older document with the same `_id` does not replace a newer one, and
    counts as stored. `None`: each document replaces the one before, as the sink's spec says."""
    actions: list[str | None] | None = None
    """`index`, `create`, `update` (the source is a part of the document), `upsert` (an update that
    creates a missing document) or `delete` (the source is only parked if it fails); `None`: the
    action of the sink's spec."""
    routings: list[str | None] | None = None
    """Elasticsearch's routing, which selects the shard; `None`: that of the sink's spec."""
    redelivered: list[bool] | None = None
    """Whether the message was redelivered, so the document may be stored already; `None`: none was,
    or each document has an `_id`, so that it does not matter."""
    claims: list[Claim | None] | None = None
    """Conditions for replacing a document with the same `_id`; only for whole documents."""
    about: Any = None
    """What an observer of the sink's requests gets back about these documents."""


class Answer(NamedTuple):
    """A sink's answer about some of the documents of a submission, by their positions."""

    stored: Sequence[int]
    rejected: list[tuple[int, Rejection]]
    failed_claims: Mapping[int, str | None] = MappingProxyType({})
    """Documents whose claim failed: another document has the `_id`. The value is the fingerprint of
    that document; `None`: the field has none."""


class SinkState(NamedTuple):
    """The state of a sink after its last request."""

    answers: bool = True
    """It can be reached, and answers; the answer may be a refusal."""
    refusal: str | None = None
    """Why it accepts no documents: its status and its words; `None`: it accepts them."""
    has_backlog: bool = False
    """It is at its limit, and documents wait: more messages would not be stored faster."""


class SinkPace(NamedTuple):
    """How much a sink may send now; it finds that out by itself."""

    in_flight: int = 0
    """Requests without a response yet."""
    concurrency: int = 0
    """Requests that may be in flight at a time."""
    max_bytes: int = 0
    """Size of the largest request, in bytes."""
