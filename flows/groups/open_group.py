"""The interface of an open group: the shard uses it, and four modules implement it.

Pure. A `HeldGroup` keeps its members, a `Running` one does not; with a state, these are `KeptHeld`
and `KeptRunning`.

If a message is redelivered or sent twice while its first copy is in the group, the group keeps it
aside as a `DuplicateOfOpen`, and does not count it. The same holds for a first copy that arrives
after the second. When the connection of the copy is lost, the duplicate takes its place; when the
group leaves before that, both are settled with the group. The duplicate does not replace the copy
at once: a producer may use one `message_id` for two messages, and then the first one must not be
lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from connectors.message import Origin, Outcomes
from flows.conditions.conditions import GroupSoFar
from flows.values.group import Kept, Member, Summary


class DuplicateOfOpen(NamedTuple):
    """A redelivered message, or one that was sent twice, whose first copy is in the open group."""

    member: Member
    place: int
    """Place of the first copy in the group."""


class GroupValues(NamedTuple):
    """The values of a group's members, from which a tally can continue."""

    rows: list[tuple[Any, ...]]
    """Values of each member, in order of arrival."""
    states: list[Any]
    """States of a tally with the members added."""
    next_number: int
    """Number that the next member gets."""


class OpenGroup(Protocol):
    """An open group, whether it keeps its members or not."""

    key: str | None
    window: int | None
    """Number of its aligned window."""
    opened_at: float
    last_at: float
    count: int
    """Members, without duplicates."""

    @property
    def redelivered(self) -> Sequence[Hashable]:
        """Identities of the members that are flagged as redelivered."""

    bytes: int
    """Size of the bodies, if a rule needs it."""
    size: int | None
    """Number of members of the complete group, as the latest member says."""

    @property
    def duplicates(self) -> Sequence[DuplicateOfOpen]:
        """The duplicates of its members, in no order."""

    @property
    def kept(self) -> Kept | None:
        """What the durable state has of it when it leaves; `None`: nothing."""

    def add(self, member: Member, now: float) -> None:
        """Add a member."""

    def add_duplicate(self, member: Member) -> bool:
        """Keep a message aside if the group has a copy of it.

        A copy of the same origin has the same `message_id` only by mistake, so both count.
        """

    def purge(self, origin: Origin) -> list[Hashable]:
        """Forget the messages of a lost connection; their duplicates take their places.

        Return the identities of those that were not flagged as redelivered.
        """

    def so_far(self, member: Member) -> Sequence[Any]:
        """Return the running values for `until`, with this member included."""

    def identities(self) -> Sequence[Hashable]:
        """Return the identity of each member, in the order of the documents."""

    def summary(self, name: str | None = None) -> Summary:
        """Return the summary of the members so far; `name`: the combined name of all of them."""

    def leave(self) -> tuple[list[Member], Summary | None]:
        """Return the members without duplicates, or no members and the summary of them."""

    def values(self) -> GroupValues:
        """Return the values from which an amended summary can be made."""

    def everything(self) -> list[Member]:
        """Return all messages, duplicates included, to park them; only a `HeldGroup` can."""

    def dropped(self) -> list[Outcomes]:
        """Return outcomes that acknowledge all messages, duplicates included, as dropped."""

    def forget(self) -> None:
        """Free the memory of a group that has left: a line may keep it for a while."""


def weight(member: Member) -> int:
    """Return the size of the received body in bytes; in a split message, of this document."""
    return len(member.message.body if member.part is None else member.document)


def weights(members: Sequence[Member]) -> list[int]:
    """Return the `weight` of each member."""
    return [len(m.message.body if m.part is None else m.document) for m in members]


def with_member(group: OpenGroup, member: Member, now: float) -> GroupSoFar:
    """Return a group for a condition as if this member were already in it."""
    size, age = group.bytes + weight(member), now - group.opened_at
    return GroupSoFar(group.key, group.count + 1, size, age, group.so_far(member))
