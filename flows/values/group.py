"""The values that travel between `correlate`, `aggregate` and `write`; nothing here decides.

They pickle, because a batch of them may cross from one process to another.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from connectors.message import Message, Origin, Rejection

ABSENT = msgspec.UNSET
"""What a path finds where there is nothing: not null, which a document may well have."""

FIRST, LAST, ALONE = 1, 2, 4
"""Marks of a member: it opens a group, completes its group, belongs to no group."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """A message that has been read: no later step looks into its body again.

    A struct for the same reason as `Message`.
    """

    origin: Origin
    message: Message
    document: bytes
    """One JSON object on one line: `message.body` itself wherever that is one already."""
    index: str | None
    """Where it is stored; `None`: where the sink's spec says, for all documents alike."""
    id: str | None
    """The document's `_id`; `None`: the sink makes one up."""
    key: str | None = None
    """Canonical JSON of what `by` names; `None`: there is no `by`, or it goes alone."""
    name: str | None = None
    """The message's own id: by it a redelivered message is recognised."""
    marks: int = 0
    """Of `FIRST`, `LAST` and `ALONE`."""
    size: int | None = None
    """How many members its group will have, as it says."""
    at: float | None = None
    """Event time, in seconds since 1970."""
    values: tuple[Any, ...] = ()
    """What `until`, `order` and `reduce` look at; `ABSENT` where there is nothing."""
    part: tuple[int, int] | None = None
    """Of a message with several documents: which one of them, and how many there are."""
    action: str | None = None
    """What is done with the document; `None`: what the sink's spec says."""
    routing: str | None = None
    """As the document says it; `None`: as the sink's spec does."""


class Part(NamedTuple):
    """A member of a summary that was one document of a message with several."""

    tag: int
    position: int
    count: int  # type: ignore[assignment]  # a column of values, not the method of a tuple
    """How many documents the message has."""


class Summary(NamedTuple):
    """What is left of the members of a group that are reduced as they come."""

    values: dict[str, Any]
    tags: dict[Origin, array[int]]
    """Delivery tags of all members but those in `parts`."""
    count: int  # type: ignore[assignment]
    """Members in all; more than there are tags in an `Amendment`."""
    name: str | None
    """What the members are called together; `None`: one of them has no name."""
    parts: dict[Origin, list[Part]] = {}  # noqa: RUF012  # what has left is never changed
    """Members that are one document of a message with several."""


class Written(NamedTuple):
    """A document that this process has written, and may write again."""

    fingerprint: str
    index: str | None  # type: ignore[assignment]  # a column of values, not the method of a tuple
    id: str | None
    beside: str | None = None
    """As in `FirstRevision`."""


class FirstRevision(NamedTuple):
    """All that this process knows of an aligned window, which it has not written before.

    It must not take the place of any document.
    """

    redelivered: Sequence[Hashable] = ()
    """Identities of those members that another process may have received before."""
    is_late: bool = False
    """All members came late: when the window closed, it had none of this key."""
    beside: str | None = None
    """It is written as a part, under an `_id` of its own, since the document of the window is
    another process's: the fingerprint of that one. `None`: it is the document of the window."""


class Amendment(NamedTuple):
    """An aligned window that this process has written before, with members that came late since.

    The values and the count are those of all members, tags and identities those of the late ones.
    """

    redelivered: Sequence[Hashable] = ()
    """As in `FirstRevision`."""
    replaces: Written | None = None
    """The document whose place it must take; `None`: the claims have not told it yet."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Less than all of an aligned window: it has left before the end, or came too late for it.

    It is a document of its own, and claims nothing.
    """


FRAGMENT = Fragment()

OfWindow = FirstRevision | Amendment | Fragment
"""What a group is of an aligned window, where groups become summaries."""


class Group(NamedTuple):
    """What one window gathered, in order, complete and ready to be written."""

    number: int
    """Counts the groups that have left the shard."""
    key: str | None
    members: list[Member]
    """Empty where there is a `summary`, which has taken their place."""
    completed_by: str
    """Which rule completed it: `count`, `bytes`, `time`, `stop`, …"""
    start: float
    """Of an aligned window, else when the first member came; in seconds since 1970."""
    end: float
    """Of an aligned window, else when the last member came."""
    summary: Summary | None = None
    identities: Sequence[Hashable] = ()
    """Of its members, where it becomes a summary."""
    of_window: OfWindow | None = None
    """`None`: it is no summary of an aligned window."""


class Unwritten(NamedTuple):
    """What becomes of a group of which no document can be made, or which has no place to go to."""

    rejection: Rejection
    summary: bytes = b""
    """To be parked where the group has no members any more: all that is left of them."""


class DuplicateOfSent(NamedTuple):
    """A message that was delivered again after its first copy had left in a group."""

    member: Member
    number: int
    """Of that group."""
    position: int
    """Of the first copy's document among the group's."""


class Progress(NamedTuple):
    """How far the event times of a source partition have come; for every shard.

    Minus infinity: no further than before, but it is not silent for want of messages.
    """

    partition: str
    at: float


class FlushRequest(NamedTuple):
    """Complete groups now."""

    key: str | None = None
    """Of this key; `None`: all."""
