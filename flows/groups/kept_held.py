"""A group of the state that keeps its members: on the disk, and not in memory.

Pure. In memory it has only the members since the last commit, whose messages the broker has too. A
commit adds these to the members on the disk. When the group has left, the shard reads all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from msgspec.structs import replace

from connectors.message import Message, Outcomes
from flows.groups.held import reduced
from flows.groups.kept_group import KeptGroup
from flows.groups.ordering import in_order
from flows.groups.rules import Rules
from flows.state.rows import decoded_members, encoded_members
from flows.values.group import Group, Kept, Member, Summary

Alone = Callable[[Member], Message]
"""member -> its message with no other document than that of this member."""


class KeptHeld(KeptGroup, kw_only=True):
    """A group whose members are in the state."""

    alone: Alone
    _new: list[Member] | None = None
    """Members since the last commit; `None`: there are none."""

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`."""
        super().add(member, now)
        self._journal.has_new_members(self)
        if self._new is None:
            self._new = []
        self._new.append(by_itself(member, self.alone))

    @property
    def kept(self) -> Kept:
        """See `OpenGroup`."""
        return Kept(self.row, self.count, self._stored)

    def summary(self, name: str | None = None) -> NoReturn:
        """See `OpenGroup`."""
        raise AssertionError("a group that keeps its members is reduced when it has left")

    def leave(self) -> tuple[list[Member], Summary | None]:
        """See `OpenGroup`; the shard reads the members when the commit is durable."""
        self._journal.add_members(self)
        return [], None

    def values(self) -> NoReturn:
        """See `OpenGroup`."""
        raise AssertionError("the state has the members of its groups, and not their values")

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`; its members go from the disk with it."""
        self._journal.drops(self)
        return super().dropped()

    def forget(self) -> None:
        """See `OpenGroup`."""
        super().forget()
        self._new = None

    def take_new_members(self) -> bytes:
        """See `flows.state.blocks.MembersRow`."""
        packed, self._new = encoded_members(self._new or ()), None
        self._stored += len(packed)
        return packed


def by_itself(member: Member, alone: Alone) -> Member:
    """Return a member as the state has it.

    A document of a message with several is without the others: otherwise the whole message would be
    in the state for each of them.
    """
    return member if member.part is None else replace(member, message=alone(member))


def with_members(group: Group, rules: Rules, rows: list[bytes]) -> Group:
    """Return a group that has left with its members, or with the summary of them.

    A revision of a window has the first ones of its row, up to its number of members: later ones
    belong to the next revision. An early summary may count all that the disk has.
    """
    kept, members = group.kept, decoded_members(rows, group.key)
    assert kept is not None
    if group.is_early:
        group = group._replace(kept=None)
    else:
        members = members[: kept.members]
    if group.rejection is not None:
        return group._replace(members=members)
    if rules.order is not None:
        members = in_order(members, rules.order)
    if rules.tally is None:
        return group._replace(members=members)
    values, count = reduced(rules.tally, members), len(members)
    return group._replace(summary=Summary(values=values, tags={}, count=count, name=kept.name))
