"""Decides whether a complete group is written, parked or dropped, and what the shard remembers.

Pure. It decides by the rules and by the reason of completion. When a group is complete, the shard
decides.

Rule 1: `incomplete` applies to a group that `time`, `idle` or `room` completed; `on_stop` to a
        group that a stop completed, but it is parked instead of written if `incomplete` parks.
        Every other group is written.
Rule 2: A written group closes its key, unless `first`, `room` or `alone` completed it: more
        messages of the key will follow.
Rule 3: The duplicates of members follow their group at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import Protocol

from msgspec.structs import replace

from connectors.message import Lost, Outcomes, Rejection
from flows.groups.amendments import Amendable, Amendments
from flows.groups.distinct import DistinctValues
from flows.groups.open_group import GroupValues, OpenGroup
from flows.groups.remembered import ClosedKeys, NewHere, RecentRedeliveries, Recognised
from flows.groups.rules import Rules
from flows.groups.windows import Windows
from flows.outcomes import outcomes
from flows.values.begin import Begun
from flows.values.group import (
    FRAGMENT,
    Amendment,
    DuplicateOfSent,
    EarlyRevision,
    FirstRevision,
    Group,
    Member,
    OfWindow,
    Summary,
)
from flows.values.identity import identity, of_key

ShardOutput = Group | DuplicateOfSent | Outcomes
"""A group to write, a duplicate to settle like its first copy, or outcomes for the consumers."""
Leaving = ShardOutput | Lost | Begun
"""What a shard passes on: what leaves it, and news for the step behind it."""

INCOMPLETE = frozenset(("time", "idle", "room"))
LEFT_OPEN = frozenset(("first", "room", "alone"))


class Closed(Protocol):
    """The keys of complete groups, for `remember` (see `ClosedKeys`)."""

    def __contains__(self, key: str | None) -> bool:
        """Return whether further messages of a key are late."""

    def close(self, key: str | None) -> None:
        """Remember a key."""


class Departures:
    """Takes groups out of a shard, and remembers what was in them."""

    def __init__(self, rules: Rules, windows: Windows | None) -> None:
        self._rules, self._windows = rules, windows
        self.number = 0
        """Number of the last group that has left."""
        self._recognised = Recognised() if rules.recognise else None
        self.redeliveries = RecentRedeliveries()
        self.new_here = NewHere()
        self.distinct: DistinctValues | None = None
        if rules.distinct_for is not None:
            self.distinct = DistinctValues(rules.distinct_for, rules.max_distinct)
        self.closed_keys: Closed | None = ClosedKeys(rules.remember) if rules.remember else None
        self.amendments = Amendments(rules, self._new_amendable) if rules.amends else None

    def leave(self, group: OpenGroup, reason: str, out: list[ShardOutput]) -> None:
        """Write, park or drop a group that is not open any more, and empty it."""
        policy = self._policy(reason)  # Rule 1
        if policy == "write":
            self._write(group, reason, out)
        elif policy == "park":
            self._park(group, reason, out)
        else:
            out += group.dropped()
        group.forget()

    def amend(
        self,
        window: int,
        key: str | None,
        amendable: Amendable,
        late: list[Member],
        out: list[ShardOutput],
    ) -> None:
        """Write the group of a closed window with these late members added."""
        tags, parts = outcomes.tags_of(late)
        summary = Summary(
            values=amendable.results(),
            tags=tags,
            count=amendable.count,
            name=amendable.name,
            parts=parts,
        )
        assert self._windows
        start, end = self._windows.span(window)
        self.number += 1
        identities = list(map(identity, late))
        redelivered = [identity(member) for member in late if self.is_redelivered(member)]
        is_first = amendable.count == len(late)
        revision = FirstRevision(redelivered, is_late=True) if is_first else Amendment(redelivered)
        out.append(Group(self.number, key, [], "late", start, end, summary, identities, revision))
        self._left(identities)

    def early(self, group: OpenGroup, *, is_empty: bool = False) -> Group:
        """Return the summary of an open group, or an empty one for its window; both settle nothing.

        The origins of the members stay: without a key, the consumer names the window.
        """
        assert self._windows is not None
        assert group.window is not None
        start, end = self._windows.span(group.window)
        summary = self._early_summary(group, is_empty=is_empty)
        self.number += 1
        revision = EarlyRevision(is_empty)
        return Group(self.number, group.key, [], "early", start, end, summary, of_window=revision)

    def is_redelivered(self, member: Member) -> bool:
        """Return whether another process may have received the message before."""
        return member.message.redelivered and identity(member) not in self.new_here

    def duplicate_of_sent(self, member: Member) -> DuplicateOfSent | None:
        """Return a redelivered message as a duplicate, if its first copy left in a group."""
        found = self._recognised.find(identity(member)) if self._recognised else None
        if found is None:
            return None
        number, position = found
        return DuplicateOfSent(member, number, 0 if self._rules.reduced else position)

    def _policy(self, reason: str) -> str:
        rules = self._rules
        if reason == "stop":
            parks = rules.on_stop == "write" and rules.incomplete == "park"
            return "park" if parks else rules.on_stop
        return rules.incomplete if reason in INCOMPLETE else "write"

    def _park(self, group: OpenGroup, reason: str, out: list[ShardOutput]) -> None:
        rejection = Rejection(f"incomplete: {reason}{of_key(group.key)}", foreseen=True)
        if group.kept is None:
            out += outcomes.rejected(group.everything(), rejection)
            return
        self.number += 1
        start, end = group.opened_at, group.last_at
        members, summary = group.leave()
        parked = Group(self.number, group.key, members, reason, start, end, summary)
        out.append(parked._replace(kept=group.kept, rejection=rejection))

    def _write(self, group: OpenGroup, reason: str, out: list[ShardOutput]) -> None:
        self.number += 1
        start, end = group.opened_at, group.last_at
        if self._windows is not None and group.window is not None:
            start, end = self._windows.span(group.window)
        members, summary = group.leave()
        identities = group.identities() if self._rules.reduced else ()
        of_window = self._of_window(group, reason) if self._rules.reduced else None
        left = Group(self.number, group.key, members, reason, start, end, summary, identities)
        out.append(left._replace(of_window=of_window, kept=group.kept))
        if self._recognised is not None:
            self._remember(group, out)
        if self.closed_keys is not None and reason not in LEFT_OPEN:  # Rule 2
            self.closed_keys.close(group.key)
        if self.amendments is not None and reason == "window" and group.window is not None:
            name = None if summary is None else summary.name
            amendable = self._amendable(group, group.window, name)
            self.amendments.keep(group.window, group.key, amendable)

    def _early_summary(self, group: OpenGroup, *, is_empty: bool) -> Summary | None:
        """Return the summary of an open group, or an empty one; `None`: it is not in memory."""
        summary, tally = group.summary(), self._rules.tally
        tags = {origin: array("Q") for origin in (*summary.tags, *summary.parts)}
        summary = replace(summary, tags=tags, parts={})
        if not is_empty or tally is None:
            return summary
        return replace(summary, values=dict(tally.results([tally.start()])), count=0)

    def _amendable(self, group: OpenGroup, _window: int, name: str | None) -> Amendable:
        """Return what late messages may add to a group that is written; `name`: of its members."""
        return Amendable(self._rules, group.values(), group.count, name)

    def _new_amendable(self, _window: int, _key: str | None) -> Amendable:
        """Return what late messages may add to a closed window in which a key had no group."""
        return Amendable(self._rules, GroupValues([], [], 0))

    def _of_window(self, group: OpenGroup, reason: str) -> OfWindow | None:
        if self._windows is None or group.window is None:
            return None
        if reason != "window":
            return FRAGMENT
        return FirstRevision([one for one in group.redelivered if one not in self.new_here])

    def _remember(self, group: OpenGroup, out: list[ShardOutput]) -> None:
        identities = group.identities()
        self._left(identities)
        positions: dict[Hashable, int] = {}
        if group.duplicates and not self._rules.reduced:
            positions = {one: position for position, one in enumerate(identities)}
        for duplicate in group.duplicates:  # Rule 3
            position = positions.get(identity(duplicate.member), 0)
            out.append(DuplicateOfSent(duplicate.member, self.number, position))

    def _left(self, identities: Sequence[Hashable]) -> None:
        """Remember the members of the group that left last."""
        if self._recognised is not None:
            self._recognised.left(identities, self.number)
        if self.distinct is not None:
            self.distinct.left(identities, self.number)


def with_merged_outcomes(out: list[ShardOutput]) -> list[ShardOutput]:
    """Merge the outcomes of each origin into one value, so that they travel as a batch."""
    settled = [one for one in out if isinstance(one, Outcomes)]
    if len(settled) < 2:
        return out
    return [*(one for one in out if not isinstance(one, Outcomes)), *outcomes.merged(settled)]
