"""The end of a group that the state has: what may be forgotten, and what is dead-lettered first.

Pure. A message is dead-lettered as the broker delivered it; a summary takes the place of messages
that the state does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from connectors.message import Documents, Message, Rejected, Rejection
from flows.outcomes.split_messages import which_documents
from flows.values.group import Group, Member


class OwnDeadLetter(NamedTuple):
    """What the job itself dead-letters: no connection has the message any more."""

    rejected: Rejected
    consumer: str | None = None
    """Name of the consumer that received the message, perhaps of an earlier process; `None`: it is
    a summary."""


class Finished(NamedTuple):
    """A group that the state may forget once all of this is dead-lettered."""

    number: int
    row: int
    """The row with members that go with the group; 0: none has."""
    dead_letters: Sequence[OwnDeadLetter] = ()


def answered(group: Group, documents: Documents, rejected: Mapping[int, Rejection]) -> Finished:
    """Return the end of a group; `rejected`: why, by the positions of its documents."""
    if not rejected:
        return ended(group)
    if group.summary is not None or len(documents.sources) < len(group.members):
        return refused(group, rejected[0], documents.sources[0])
    members = group.members
    return _finished(group, [_of_member(members[at], why) for at, why in rejected.items()])


def refused(group: Group, rejection: Rejection, summary: bytes) -> Finished:
    """Return the end of a group of which nothing is stored; `summary`: its only document."""
    if group.summary is None:
        return _finished(group, [_of_member(member, rejection) for member in group.members])
    message = Message(0, False, b"", b"", summary)
    return _finished(group, [OwnDeadLetter(Rejected(message, rejection))])


def ended(group: Group) -> Finished:
    """Return the end of a group of which nothing is dead-lettered."""
    return _finished(group, ())


def _finished(group: Group, dead_letters: Sequence[OwnDeadLetter]) -> Finished:
    assert group.kept is not None
    row = 0 if group.kept.stays else group.kept.row
    return Finished(group.number, row, dead_letters)


def _of_member(member: Member, rejection: Rejection) -> OwnDeadLetter:
    if member.part is not None:
        position, count = member.part
        reason = which_documents([position], count) + rejection.reason
        rejection = replace(rejection, reason=reason)
    return OwnDeadLetter(Rejected(member.message, rejection), member.origin.consumer)
