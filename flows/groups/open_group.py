"""The open, growing group of one key: what a shard knows of it, whether it keeps members or not.

Pure. `held.py` keeps them, `running.py` does not. Neither knows when it is complete.

A message that is delivered again while its first copy is still in the group is kept aside as the
`DuplicateOfOpen` of that copy: it is not counted. So is a first copy that comes later than
the second. When the connection of the copy is lost, the duplicate takes its place; when the group
leaves before that, both are settled with the group. It cannot simply replace the copy: a
producer may use a name twice, and then nothing of the first one is ever lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from connectors.message import Origin, Outcomes
from flows.values.group import Member, Summary


class DuplicateOfOpen(NamedTuple):
    """A message that came again, and the place it would take."""

    member: Member
    place: int
    """Of its copy."""


class GroupValues(NamedTuple):
    """What is left of a group's members for a tally."""

    rows: list[tuple[Any, ...]]
    """The values of members, as they came."""
    states: list[Any]
    """Of a tally to which members were added."""
    next_number: int
    """Of the next member to come to it."""


class OpenGroup(Protocol):
    """What a shard does with a group, whether that keeps its members or not."""

    key: str | None
    window: int | None
    """Which of the aligned windows."""
    opened_at: float
    last_at: float
    count: int
    """Members, without duplicates."""

    @property
    def redelivered(self) -> list[Hashable]:
        """The identities of members that had been delivered before."""

    bytes: int
    """Of the bodies, while some rule wants to know."""
    size: int | None
    """How many members there will be, as the latest of them said."""
    duplicates: Sequence[DuplicateOfOpen]
    """In no order."""

    def add(self, member: Member, now: float) -> None:
        """Take a member in."""

    def add_duplicate(self, member: Member) -> bool:
        """Keep a message aside if a copy of it is in here, from another origin."""

    def purge(self, origin: Origin) -> list[Hashable]:
        """Forget the messages of a lost connection; their duplicates take their places.

        Return the identities of those that had not been delivered before.
        """

    def so_far(self, member: Member) -> Sequence[Any]:
        """The running values that `until` wants, as if this member were in."""

    def identities(self) -> list[Hashable]:
        """By what each message is recognised, in the order of the documents."""

    def leave(self) -> tuple[list[Member], Summary | None]:
        """What is written of it, duplicates aside; with a summary there are no members."""

    def values(self) -> GroupValues:
        """What a summary may be made of again when more messages come."""

    def everything(self) -> list[Member]:
        """All messages, duplicates too, to be parked; only where members are kept."""

    def dropped(self) -> list[Outcomes]:
        """All messages, duplicates too, to be acknowledged although nothing is written of them."""

    def forget(self) -> None:
        """Keep nothing: it has left, and may lie about for a while."""


def identity(member: Member) -> Hashable:
    """By what a message, or this part of it, is recognised; `None`: it has no name."""
    return member.name if member.part is None else (member.name, member.part[0])


def name_together(identities: Sequence[Hashable]) -> str | None:
    """What the members of a group are called together: the same only for the very same members.

    In any order of arrival. It begins with one member's name. `None`: one of them has none.
    """
    found = [name if isinstance(name, str) else name_of(name) for name in identities]
    names = sorted(name for name in found if name is not None)
    if len(names) < len(found):
        return None
    if len(names) == 1:
        return names[0]
    digest = blake2b("\0".join(names).encode(errors="surrogatepass"), digest_size=16)
    return f"{names[0]}+{len(names) - 1}:{digest.hexdigest()}"


def name_of(name: Hashable) -> str | None:
    """An identity as a text; `None`: there is none."""
    if isinstance(name, str):
        return name
    if not isinstance(name, tuple) or name[0] is None:
        return None
    return f"{name[0]}#{name[1]}"


def weight(member: Member) -> int:
    """Bytes as received; of one document of several, its own."""
    return len(member.message.body if member.part is None else member.document)


def weights(members: Sequence[Member]) -> list[int]:
    """The same for many."""
    return [len(m.message.body if m.part is None else m.document) for m in members]
