"""The values that travel between `correlate`, `aggregate` and `write`; nothing here decides.

They pickle, because a batch of them may cross from one process to another.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec

from connectors.message import Message, Origin, Rejection

ABSENT = msgspec.UNSET
"""The value of a path that finds nothing; not null, which a document may have."""

FIRST, LAST, ALONE, DISTINCT = 1, 2, 4, 8
"""Marks of a member: it opens a group, completes its group, belongs to no group; it has a distinct
value, which is its `message_id` then."""


class _WrittenMember(msgspec.Struct, frozen=True, gc=False):
    origin: Origin
    message: Message
    document: bytes
    """One JSON object on one line: `message.body` itself wherever that is one already."""
    index: str | None
    """The index of the document; `None`: the one index of the sink's spec."""
    id: str | None
    """The `_id` of the document; `None`: the sink makes one."""


class FullMember(_WrittenMember, frozen=True, gc=False):
    """A message that has been read: no later step looks into its body again.

    A struct for the same reason as `Message`.
    """

    key: str | None = None
    """Canonical JSON of the values of `by`; `None`: no `by`, or the member is a group by itself."""
    message_id: str | None = None
    """The message's own id, to deduplicate redelivered messages; or its key and distinct value."""
    marks: int = 0
    """Of `FIRST`, `LAST`, `ALONE` and `DISTINCT`."""
    size: int | None = None
    """The number of members of its group, as the message says."""
    at: float | None = None
    """Event time, in seconds since 1970."""
    values: tuple[Any, ...] = ()
    """The values that `until`, `order` and `reduce` read; `ABSENT` for a missing one."""
    part: tuple[int, int] | None = None
    """Of a split message: the position of this document, and the number of all."""
    action: str | None = None
    """The action for the document; `None`: the action of the sink's spec."""
    routing: str | None = None
    """The routing of the document; `None`: the routing of the sink's spec."""
    own_id: str | None = None
    """The message's own id, if its distinct value is the `message_id`."""
    offset: int | None = None
    """Of a message in its stream, if the state counts by it; `None`: it comes from a queue."""


class PlainMember(_WrittenMember, frozen=True, gc=False):
    """A member that has the defaults of a `FullMember`: it takes 88 bytes less, and half the time.

    A job that only counts messages may hold tens of thousands of them.
    """

    key: ClassVar[None] = None
    message_id: ClassVar[None] = None
    marks: ClassVar[int] = 0
    size: ClassVar[None] = None
    at: ClassVar[None] = None
    values: ClassVar[tuple[Any, ...]] = ()
    part: ClassVar[None] = None
    action: ClassVar[None] = None
    routing: ClassVar[None] = None
    own_id: ClassVar[None] = None
    offset: ClassVar[None] = None


Member = FullMember | PlainMember


class Part(NamedTuple):
    """A member of a summary that was one document of a message with several."""

    tag: int
    position: int
    documents: int
    """How many documents the message has."""


class Summary(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """The state of a group whose members are reduced on arrival."""

    values: dict[str, Any]
    tags: dict[Origin, array[int]]
    """Delivery tags of all members but those in `parts`."""
    count: int
    """The number of all members; in an `Amendment` more than there are tags."""
    name: str | None
    """The name made of the names of all members; `None`: a member has no name."""
    parts: dict[Origin, list[Part]] = {}
    """Members that are one document of a split message."""


class Written(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A document that this process has written, and may write again."""

    fingerprint: str
    index: str | None
    id: str | None
    beside: str | None = None
    """As in `FirstRevision`."""


class Earlier(NamedTuple):
    """The revision of a window that the state has made before this one."""

    first: int
    """Number of the group that was the first one: it names all of them."""
    members: int
    """How many it has."""
    redelivered: Sequence[Hashable]
    """As in `FirstRevision`."""


class FirstRevision(NamedTuple):
    """All members of an aligned window in this process, which has not written it before.

    Its document must not replace another one.
    """

    redelivered: Sequence[Hashable] = ()
    """Identities of those members that another process may have received before."""
    is_late: bool = False
    """All members are late: when the window closed, this key had none."""
    beside: str | None = None
    """Fingerprint of the window's document, if another process has written it: this revision is
    then a part, under an `_id` of its own. `None`: this revision is the window's document."""
    amends: Earlier | None = None
    """What it replaces, if a state amends the window: it has all members, not the late ones only.
    """


class Amendment(NamedTuple):
    """An aligned window that this process has written before, with late members since then.

    The values and the count are of all members, tags and identities only of the late ones.
    """

    redelivered: Sequence[Hashable] = ()
    """As in `FirstRevision`."""
    replaces: Written | None = None
    """The document that it must replace; `None`: the claims have not set it yet."""


class EarlyRevision(NamedTuple):
    """The members of an aligned window so far: the window is open, and no member is settled.

    Its document may replace an early one only, and each `FirstRevision` may replace it.
    """

    is_empty: bool = False
    """It replaces an early document whose members have left in a `Fragment`."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Some members of an aligned window, which leave before its end or arrive too late.

    They become a document of their own, without a claim.
    """


FRAGMENT = Fragment()

OfWindow = FirstRevision | Amendment | EarlyRevision | Fragment
"""How a group relates to an aligned window, if groups become summaries."""


class TraceContext(NamedTuple):
    """The trace that a message belongs to, as its headers name it (W3C Trace Context)."""

    traceparent: str
    tracestate: str = ""


class Kept(NamedTuple):
    """What the durable state has of a group that leaves, until it is stored or dead-lettered."""

    row: int = 0
    """The row of the state that has its members; 0: none, since the group is a summary."""
    members: int = 0
    """Number of members in that row."""
    bytes: int = 0
    """Bytes that they take in the state."""
    name: str = ""
    """Names the group; only other revisions of its window have this name too."""
    is_again: bool = False
    """An earlier process may have written it already."""
    stays: bool = False
    """Its members stay in their row: late messages may amend its window."""


class Group(NamedTuple):
    """The members of one window, in order, complete and ready to be written."""

    number: int
    """Number of the group among those that have left the shard."""
    key: str | None
    members: list[Member]
    """Empty if there is a `summary`, which replaces them."""
    completed_by: str
    """The rule that completed it: `count`, `bytes`, `time`, `stop`, …"""
    start: float
    """Start of an aligned window, else arrival of the first member; in seconds since 1970."""
    end: float
    """End of an aligned window, else arrival of the last member."""
    summary: Summary | None = None
    identities: Sequence[Hashable] = ()
    """Identities of its members, if it becomes a summary."""
    of_window: OfWindow | None = None
    """`None`: it is no summary of an aligned window."""
    kept: Kept | None = None
    """What the durable state has of it; its messages are acknowledged already. `None`: nothing, so
    that its messages are settled with it."""
    rejection: Rejection | None = None
    """Why its members are dead-lettered instead of written; only of a group that is kept."""
    contexts: Sequence[TraceContext] = ()
    """Trace contexts of its members, if the job has traces: at most so many as a span links."""

    @property
    def is_early(self) -> bool:
        """Whether it is an `EarlyRevision`, which settles nothing."""
        return isinstance(self.of_window, EarlyRevision)

    @property
    def to_settle(self) -> int:
        """The number of members that are settled with it; of an `Amendment` only the late ones."""
        if self.kept is not None:
            return 0
        if self.summary is None:
            return len(self.members)
        tags, parts = self.summary.tags.values(), self.summary.parts.values()
        return sum(map(len, tags)) + sum(map(len, parts))


class Unwritten(NamedTuple):
    """Why a group has no document: it can not be made, or it has no valid address."""

    rejection: Rejection
    summary: bytes = b""
    """The body to park if the group has no members any more."""


class DuplicateOfSent(NamedTuple):
    """A redelivered message, or one that was sent twice, whose first copy has left in a group."""

    member: Member
    number: int
    """Number of that group."""
    position: int
    """Position of the first copy's document in the group."""

    @property
    def is_distinct(self) -> bool:
        """Whether it was recognised by its distinct value."""
        return bool(self.member.marks & DISTINCT)

    @property
    def is_sent_twice(self) -> bool:
        """Whether it is another message than its first copy: a redelivered one may be the same."""
        return self.is_distinct and not self.member.message.redelivered


class Progress(NamedTuple):
    """The event time that a source partition has reached; for every shard.

    Minus infinity: no further than before, but back-pressure makes it silent, so it is not idle.
    """

    partition: str
    at: float


class FlushRequest(NamedTuple):
    """A request to complete groups now."""

    key: str | None = None
    """Only the groups of this key; `None`: all."""
