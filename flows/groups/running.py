"""A group that reduces its members on arrival, and keeps only their tags and names.

Pure. It does not decide when it is complete.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import Any

from connectors.message import Origin, Outcomes
from flows.groups.open_group import DuplicateOfOpen, GroupValues, weight
from flows.groups.rules import Rules
from flows.outcomes import outcomes
from flows.values.group import DISTINCT, Kept, Member, Part, Summary
from flows.values.identity import combined_id, identity

GONE = 2**32 - 1
"""A number that no share has: there are never so many connections."""


class Share:
    """The members of one origin, which leave together when its connection is lost."""

    __slots__ = ("bytes", "origin", "parts", "redelivered", "state", "tags", "until")

    def __init__(self, rules: Rules, origin: Origin) -> None:
        assert rules.tally
        self.origin = origin
        self.redelivered: list[Hashable] | None = None
        """The identities of the members that are flagged as redelivered."""
        self.bytes = 0
        self.state = rules.tally.start()
        self.until = rules.until_tally.start() if rules.until_tally else None
        self.tags = array("Q")
        self.parts: list[Part] | None = None

    @property
    def count(self) -> int:
        """Number of members."""
        return len(self.tags) + len(self.parts or ())


class Running:
    """A group with running values, one share for each origin; mostly there is one."""

    __slots__ = (
        "_holders",
        "_names",
        "_places",
        "_rules",
        "_share",
        "_shares",
        "bytes",
        "count",
        "duplicates",
        "key",
        "last_at",
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
        self._rules = rules
        self._names: list[Hashable] = []
        """The name at each place, in order of arrival; a lost member keeps its place."""
        self._shares: tuple[Share, ...] = ()
        self._share: Share | None = None
        """The share of the latest member: the next one mostly has the same origin."""
        self._holders: array[int] | None = None
        """The number of the share at each place; `None` as long as there is one share."""
        self._places: dict[Hashable, int] | None = None

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`."""
        share, origin, place = self._share, member.origin, len(self._names)
        if share is None or (share.origin is not origin and share.origin != origin):
            share = self._share = self._share_of(origin)
        self._put(share, member, place)
        name = member.message_id if member.part is None else identity(member)
        if place:
            self._names.append(name)
        else:
            self._names = [name]  # as in `HeldGroup.add`
        if self._holders is not None:
            self._holders.append(self._shares.index(share))
        if self._places is not None:
            self._places[name] = place
        self.last_at = now

    @property
    def redelivered(self) -> list[Hashable]:
        """See `OpenGroup`."""
        return [name for share in self._shares for name in share.redelivered or ()]

    def add_duplicate(self, member: Member) -> bool:
        """See `OpenGroup`."""
        if self._places is None:
            self._places = {name: place for place, name in enumerate(self._names)}
        place = self._places.get(identity(member))
        if place is None:
            return False
        holder = self._holders[place] if self._holders is not None else 0
        if holder == GONE:
            return False
        if self._shares[holder].origin == member.origin and not member.marks & DISTINCT:
            return False
        self.duplicates = [*self.duplicates, DuplicateOfOpen(member, place)]
        return True

    def purge(self, origin: Origin) -> list[Hashable]:
        """See `OpenGroup`."""
        names: list[Hashable] = []
        self.duplicates = [
            duplicate for duplicate in self.duplicates if duplicate.member.origin != origin
        ]
        for lost, share in enumerate(self._shares):
            if share.origin == origin and share.count:
                self.count -= share.count
                self.bytes -= share.bytes
                empty = Share(self._rules, origin)
                self._shares = (*self._shares[:lost], empty, *self._shares[lost + 1 :])
                self._share = None
                redelivered = set(share.redelivered or ())
                names += [name for name in self._names_of(lost) if name not in redelivered]
                self._empty(lost)
        return names

    def so_far(self, member: Member) -> Sequence[Any]:
        """See `OpenGroup`."""
        states = (share.until for share in self._shares)
        return self._rules.so_far(states, member, len(self._names))

    def identities(self) -> list[Hashable]:
        """See `OpenGroup`."""
        if self._holders is None:
            return self._names
        placed = zip(self._names, self._holders, strict=True)
        return [name for name, holder in placed if holder != GONE]

    def summary(self, name: str | None = None) -> Summary:
        """See `OpenGroup`."""
        assert self._rules.tally
        values = self._rules.tally.results([share.state for share in self._shares])
        shares = [share for share in self._shares if share.count]
        return Summary(
            values=dict(values),
            tags={share.origin: share.tags for share in shares if share.tags},
            count=self.count,
            name=name,
            parts={share.origin: share.parts for share in shares if share.parts},
        )

    def leave(self) -> tuple[list[Member], Summary | None]:
        """See `OpenGroup`."""
        return [], self.summary(combined_id(self.identities()))

    def values(self) -> GroupValues:
        """See `OpenGroup`."""
        return GroupValues([], [share.state for share in self._shares], len(self._names))

    def everything(self) -> list[Member]:
        """See `OpenGroup`."""
        raise AssertionError("a group that may be parked keeps its members")

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`."""
        shares = [share for share in self._shares if share.count]
        settled = [outcomes.dropped_tags(s.origin, s.tags, s.parts or ()) for s in shares]
        return [*settled, *outcomes.dropped([duplicate.member for duplicate in self.duplicates])]

    def forget(self) -> None:
        """See `OpenGroup`."""
        self._names, self._shares, self._share, self.duplicates = [], (), None, ()
        self._holders = self._places = None

    def _share_of(self, origin: Origin) -> Share:
        for share in self._shares:
            if share.origin == origin:
                return share
        share = Share(self._rules, origin)
        self._shares = (*self._shares, share)
        if len(self._shares) == 2 and self._holders is None:
            self._holders = array("I", [0]) * len(self._names)
        return share

    def _put(self, share: Share, member: Member, place: int) -> None:
        """Add a member to a share; `place` is its number in the group, by arrival."""
        rules = self._rules
        rules.tally.add(share.state, member.values, place)  # type: ignore[union-attr]
        if member.part is None:
            if share.tags:
                share.tags.append(member.message.tag)
            else:
                share.tags = array("Q", (member.message.tag,))  # as in `HeldGroup.add`
        else:
            share.parts = share.parts or []
            share.parts.append(Part(member.message.tag, *member.part))
        if rules.weighs:
            if rules.until_tally:
                rules.until_tally.add(share.until, member.values, place)
            size = weight(member)
            share.bytes += size
            self.bytes += size
        if member.message.redelivered:
            share.redelivered = share.redelivered or []
            share.redelivered.append(identity(member))
        self.count += 1

    def _names_of(self, share: int) -> list[Hashable]:
        if self._holders is None:
            return self._names
        placed = zip(self._names, self._holders, strict=True)
        return [name for name, holder in placed if holder == share]

    def _empty(self, lost: int) -> None:
        """Give the places of a lost share to the duplicates of its members."""
        holders = array("I", [0]) * len(self._names) if self._holders is None else self._holders
        self._holders = array("I", [GONE if holder == lost else holder for holder in holders])
        waiting = []
        for duplicate in self.duplicates:
            if self._holders[duplicate.place] == GONE:
                share = self._share_of(duplicate.member.origin)
                self._put(share, duplicate.member, duplicate.place)
                self._holders[duplicate.place] = self._shares.index(share)
            else:
                waiting.append(duplicate)
        self.duplicates = waiting
