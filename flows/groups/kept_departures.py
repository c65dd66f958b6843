"""What a shard with state remembers of groups that have left: it is durable.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf

from flows.groups.amendments import Amendable
from flows.groups.departures import Departures, ShardOutput
from flows.groups.kept_amendable import KeptAmendable, recovered_amendable
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

    def __init__(self, journal: Journal, rules: Rules, windows: Windows | None) -> None:
        super().__init__(rules, windows)
        self._journal = journal
        self._recognised = self.distinct = None  # the journal knows names and values
        self.closed_keys = None if journal.keys is None else KeptKeys(journal.keys)

    def early(self, group: OpenGroup, *, is_empty: bool = False) -> Group:
        """See `Departures`; the state has an empty one until it is written.

        It replaces a document of members that are counted elsewhere.
        """
        early = super().early(group, is_empty=is_empty)
        return early._replace(kept=Kept()) if is_empty else early

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
        start, end = self._windows.span(window)
        self.number += 1
        summary = Summary(values=amendable.results(), tags={}, count=amendable.count, name=None)
        revision = amendable.next_revision(self.number)
        group = Group(self.number, key, [], "late", start, end, summary, UNKNOWN, revision)
        out.append(group._replace(kept=Kept()))

    def is_redelivered(self, member: Member) -> bool:
        """See `Departures`; the state knows by its name whether the message was counted."""
        return False

    def recover(self, rows: Sequence[Row], header: Header, now: float) -> None:
        """Continue with what is durable; `rows`: of closed windows."""
        self.number = header.group
        amendments = self.amendments
        if amendments is None:
            return
        amendments.known_from, amendments.over_below = header.known_from, header.over_below
        closed: dict[int, float] = {}
        made = partial(recovered_amendable, self._journal, self._rules)
        for one in self._journal.blocks[Table.CLOSED_WINDOWS].restore(rows, made):
            amendments.keep(one.window, one.key, one)
            closed[one.window] = min(one.closed_at, closed.get(one.window, inf))
        if header.closed_below > -inf:
            amendments.restore(closed, header.closed_below, now)

    def _amendable(self, group: OpenGroup, window: int, summary: Summary) -> Amendable:
        amendable = self._empty(window, group.key, group.values())
        amendable.left(self.number, group.count, redelivered=bool(group.redelivered))
        return amendable

    def _new_amendable(self, window: int, key: str | None) -> Amendable:
        return self._empty(window, key, GroupValues([], [], 0))

    def _empty(self, window: int, key: str | None, values: GroupValues) -> KeptAmendable:
        assert self.amendments is not None
        amendable = KeptAmendable(self._journal, self._rules, window, key, values)
        amendable.closed_at = self.amendments.closed_at(window)
        return amendable
