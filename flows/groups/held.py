"""A group that keeps its members, and reduces them, if at all, when it leaves.

Pure. It does not decide when it is complete.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from connectors.message import Origin, Outcomes
from flows.groups.open_group import (
    DuplicateOfOpen,
    GroupValues,
    weight,
    weights,
)
from flows.groups.ordering import in_order
from flows.groups.rules import Rules, RunningTally
from flows.outcomes import outcomes
from flows.values.group import DISTINCT, Kept, Member, Summary
from flows.values.identity import combined_id, identity


class HeldGroup:
    """A group that keeps its members, and reduces them, if at all, when it leaves."""

    __slots__ = (
        "_places",
        "_rules",
        "_until",
        "bytes",
        "count",
        "duplicates",
        "key",
        "last_at",
        "members",
        "opened_at",
        "size",
        "window",
    )

    kept: Kept | None = None
    """See `OpenGroup`."""

    def __init__(self, rules: Rules, key: str | None, window: int | None, now: float) -> None:
        self.key, self.window = key, window
        self.opened_at = self.last_at = now
        self.count = self.bytes = 0
        self.size: int | None = None
        self.duplicates: Sequence[DuplicateOfOpen] = ()
        self.members: list[Member] = []
        self._rules = rules
        self._places: dict[Hashable, int] | None = None
        self._until = rules.until_tally.start() if rules.until_tally else None

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`."""
        rules = self._rules
        if rules.weighs:
            self.bytes += weight(member)
            if rules.until_tally:
                rules.until_tally.add(self._until, member.values, self.count)
        if self._places is not None:
            self._places[identity(member)] = self.count
        if self.members:
            self.members.append(member)
        else:
            # `append` reserves room for more: 24 bytes in each group of one member.
            self.members = [member]
        self.count += 1
        self.last_at = now

    def extend(self, members: list[Member], size: int, now: float) -> None:
        """Add many members at once, of `size` bytes, without duplicates or running values."""
        self.members += members
        self.count += len(members)
        self.bytes += size
        self.last_at = now

    @property
    def redelivered(self) -> list[Hashable]:
        """See `OpenGroup`."""
        return [identity(member) for member in self.members if member.message.redelivered]

    def add_duplicate(self, member: Member) -> bool:
        """See `OpenGroup`."""
        if self._places is None:
            # Built for the first redelivered message, and kept: most groups never need it.
            self._places = {name: place for place, name in enumerate(map(identity, self.members))}
        place = self._places.get(identity(member))
        if place is None:
            return False
        if self.members[place].origin == member.origin and not member.marks & DISTINCT:
            return False
        self.duplicates = [*self.duplicates, DuplicateOfOpen(member, place)]
        return True

    def purge(self, origin: Origin) -> list[Hashable]:
        """See `OpenGroup`."""
        lost = [one for one in self.members if one.origin == origin]
        places = [None if member.origin == origin else member for member in self.members]
        duplicates = [
            duplicate for duplicate in self.duplicates if duplicate.member.origin != origin
        ]
        if not lost and len(duplicates) == len(self.duplicates):
            return []
        waiting = []
        for duplicate in duplicates:
            if places[duplicate.place] is None:
                places[duplicate.place] = duplicate.member
            else:
                waiting.append(duplicate)
        kept = [place for place, member in enumerate(places) if member is not None]
        moved = {place: index for index, place in enumerate(kept)}
        self.duplicates = [
            DuplicateOfOpen(duplicate.member, moved[duplicate.place]) for duplicate in waiting
        ]
        self._hold([member for member in places if member is not None])
        return [identity(one) for one in lost if not one.message.redelivered]

    def so_far(self, member: Member) -> Sequence[Any]:
        """See `OpenGroup`."""
        return self._rules.so_far([self._until], member, self.count)

    def identities(self) -> list[Hashable]:
        """See `OpenGroup`."""
        return [m.message_id if m.part is None else identity(m) for m in self.members]

    def summary(self, name: str | None = None) -> Summary:
        """See `OpenGroup`."""
        tally, members = self._rules.tally, self._ordered()
        assert tally
        tags, parts = outcomes.tags_of(members)
        values = reduced(tally, members)
        return Summary(values=values, tags=tags, count=self.count, name=name, parts=parts)

    def leave(self) -> tuple[list[Member], Summary | None]:
        """See `OpenGroup`."""
        if self._rules.tally is not None:
            return [], self.summary(combined_id(self.identities()))
        self.members = self._ordered()
        return self.members, None

    def values(self) -> GroupValues:
        """See `OpenGroup`."""
        return GroupValues([member.values for member in self.members], [], self.count)

    def everything(self) -> list[Member]:
        """See `OpenGroup`."""
        return [*self.members, *(duplicate.member for duplicate in self.duplicates)]

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`."""
        return outcomes.dropped(self.everything())

    def forget(self) -> None:
        """See `OpenGroup`."""
        self.members, self.duplicates, self._places, self._until = [], (), None, None

    def _ordered(self) -> list[Member]:
        order = self._rules.order
        return self.members if order is None else in_order(self.members, order)

    def _hold(self, members: list[Member]) -> None:
        """Replace the members with these, and rebuild what depends on them."""
        self.members, self.count, self._places = members, len(members), None
        self.bytes = sum(weights(members)) if self._rules.weighs else 0
        tally = self._rules.until_tally
        if tally:
            self._until = tally.start()
            for number, member in enumerate(members):
                tally.add(self._until, member.values, number)


def reduced(tally: RunningTally, members: Iterable[Member]) -> dict[str, Any]:
    """Return the values of members, in their order."""
    state = tally.start()
    for number, member in enumerate(members):
        tally.add(state, member.values, number)
    return dict(tally.results([state]))
