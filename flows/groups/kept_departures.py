"""What a shard with state remembers of groups that have left: it is durable.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from flows.groups.amendments import Amendable
from flows.groups.departures import Departures, ShardOutput
from flows.groups.kept_amendable import AmendableMembers, AmendableValues, KeptAmendable
from flows.groups.kept_held import Alone, KeptHeld
from flows.groups.open_group import GroupValues, OpenGroup
from flows.groups.rules import Rules
from flows.groups.windows import Windows
from flows.state.commit import Row, Table
from flows.state.journal import Journal
from flows.state.recent_texts import RecentTexts
from flows.state.rows import UNKNOWN, Header
from flows.values.group import Group, Kept, Member, Summary


class KeptKeys:
    """Closed keys that are durable (see `ClosedKeys`)."""

    def __init__(self, keys: RecentTexts) -> None:
        self._keys = keys

    def __contains__(self, key: str | None) -> bool:
        return self._keys.has(key, 0.0)

    def close(self, key: str | None) -> None:
        """See `ClosedKeys`."""
        self._keys.add(key, 0.0)


class KeptDepartures(Departures):
    """Takes groups out of a shard whose journal knows what is remembered."""

    def __init__(
        self, rules: Rules, windows: Windows | None, journal: Journal, alone: Alone
    ) -> None:
        """`alone`: see `Alone`."""
        super().__init__(rules, windows)
        self._journal, self._alone = journal, alone
        self._over: list[AmendableMembers] = []
        """Groups of windows that are over, whose members may still be needed."""
        self._recognised = self.distinct = None  # the journal knows names and values
        self.closed_keys = None if journal.keys is None else KeptKeys(journal.keys)

    def early(self, group: OpenGroup, *, is_empty: bool = False) -> Group:
        """See `Departures`; the state has an empty one until it is written.

        It replaces a document of members that are counted elsewhere. The members of a group that
        keeps them are read when they are durable.
        """
        early = super().early(group, is_empty=is_empty)
        if is_empty:
            return early._replace(kept=Kept())
        if early.summary is not None:
            return early
        assert isinstance(group, KeptHeld)
        self._journal.add_members(group)
        return early._replace(kept=group.kept)

    def amend(
        self,
        window: int,
        key: str | None,
        amendable: Amendable,
        late: list[Member],
        out: list[ShardOutput],
    ) -> None:
        """See `Departures`; the late messages are acknowledged with the commit that has them."""
        assert self._windows is not None
        assert isinstance(amendable, KeptAmendable)
        if isinstance(amendable, AmendableMembers):
            self._journal.add_members(amendable)
        start, end = self._windows.span(window)
        self.number += 1
        revision, summary = amendable.next_revision(self.number), amendable.summary
        group = Group(self.number, key, [], "late", start, end, summary, UNKNOWN, revision)
        out.append(group._replace(kept=amendable.kept))

    def is_redelivered(self, member: Member) -> bool:
        """See `Departures`; the state knows by its name whether the message was counted."""
        return False

    @property
    def over(self) -> int:
        """Number of groups of windows that are over, whose members wait for `release`."""
        return len(self._over)

    def release(self, waits: Callable[[int], bool]) -> None:
        """Let the members of windows that are over go; see `AmendableMembers.release`."""
        self._over[:] = [one for one in self._over if not one.release(waits)]

    def recover(
        self, rows: Sequence[Row], left: Sequence[Group], header: Header, now: float
    ) -> None:
        """Continue with what is durable; `rows`: of closed windows; `left`: they wait for the sink.

        If windows are not amended any more, those that were closed before are over.
        """
        self.number = header.group
        blocks = self._journal.blocks[Table.CLOSED_WINDOWS]
        found = blocks.restore(rows, self._recovered)
        _note_waiting(found, left)
        amendments = self.amendments
        if amendments is None:
            for one in found:
                one.forget()
            return
        amendments.known_from, amendments.over_below = header.known_from, header.over_below
        closed: dict[int, float] = {}
        for one in found:
            amendments.keep(one.window, one.key, one)
            closed[one.window] = min(one.closed_at, closed.get(one.window, inf))
        if header.closed_below > -inf:
            amendments.restore(closed, header.closed_below, now)

    def _early_summary(self, group: OpenGroup, *, is_empty: bool) -> Summary | None:
        if not is_empty:
            return None if self._rules.hold else group.summary()
        tally = self._rules.tally
        assert tally is not None
        return Summary(values=dict(tally.results([tally.start()])), tags={}, count=0, name=None)

    def _amendable(self, group: OpenGroup, window: int, name: str | None) -> Amendable:
        values = None if self._rules.hold else group.values()
        amendable = self._made(window, group.key, values)
        if isinstance(amendable, AmendableMembers) and group.kept is not None:
            amendable.take_over(group.kept)
        amendable.left(self.number, group.count, redelivered=bool(group.redelivered))
        return self._closed(amendable)

    def _new_amendable(self, window: int, key: str | None) -> Amendable:
        return self._closed(self._made(window, key))

    def _recovered(self, row: int, content: tuple[Any, ...]) -> KeptAmendable:
        (window, key, _), *_ = content
        amendable = self._made(window, key)
        amendable.restore(row, content)
        return amendable

    def _closed(self, amendable: KeptAmendable) -> KeptAmendable:
        assert self.amendments is not None
        amendable.closed_at = self.amendments.closed_at(amendable.window)
        return amendable

    def _made(
        self, window: int, key: str | None, values: GroupValues | None = None
    ) -> KeptAmendable:
        journal, rules = self._journal, self._rules
        if rules.hold:
            return AmendableMembers(self._alone, self._over.append, journal, rules, window, key)
        return AmendableValues(journal, rules, window, key, values or GroupValues([], [], 0))


def _note_waiting(closed: Sequence[KeptAmendable], left: Sequence[Group]) -> None:
    """Let groups of closed windows know which of their revisions wait for the sink."""
    rows = {one.row: one for one in closed if isinstance(one, AmendableMembers)}
    for group in left:
        assert group.kept is not None
        if (found := rows.get(group.kept.row)) is not None:
            found.waits(group.number)
