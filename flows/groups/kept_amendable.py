"""A written group in a closed window that late messages may amend: its values are durable.

Pure. Each revision has all members of the group, so that the last one alone can be written.
"""

from __future__ import annotations

from math import inf
from typing import Any

from flows.groups.amendments import Amendable
from flows.groups.open_group import GroupValues
from flows.groups.rules import Rules
from flows.state.blocks import RowBlock
from flows.state.commit import Table
from flows.state.journal import Journal
from flows.state.rows import UNKNOWN
from flows.values.group import Earlier, FirstRevision, Member


class KeptAmendable(Amendable):
    """A group that has a row in the state (see `flows.state.blocks.KeptRow`)."""

    table = Table.CLOSED_WINDOWS

    def __init__(
        self, journal: Journal, rules: Rules, window: int, key: str | None, values: GroupValues
    ) -> None:
        super().__init__(rules, values)
        self._journal, self._redelivered = journal, False
        self.window, self.key = window, key
        self.row = 0
        self.block: RowBlock | None = None
        self.closed_at = inf
        """When its window was closed, by the clock; infinity: it is not closed yet."""
        self._written: Earlier | None = None
        """The last revision."""

    def add(self, member: Member, now: float) -> None:
        """See `Amendable`."""
        super().add(member, now)
        self._redelivered = self._redelivered or member.message.redelivered
        self._journal.taken_in(self, member, now)

    def left(self, number: int, count: int, *, redelivered: bool) -> None:
        """Note the group whose values these are."""
        self.count, self._redelivered = count, redelivered
        self.next_revision(number)
        self._journal.changed(self)

    def next_revision(self, number: int) -> FirstRevision:
        """Return the revision that leaves now, as the group of that number."""
        redelivered = UNKNOWN if self._redelivered else ()
        revision = FirstRevision(redelivered, amends=self._written)
        first = number if self._written is None else self._written.first
        self._written = Earlier(first, self.count, redelivered)
        return revision

    def forget(self) -> None:
        """See `Amendable`."""
        self._journal.gone(self)

    def content(self) -> tuple[Any, ...]:
        """See `flows.state.blocks.KeptRow`."""
        place = self.window, self.key, self.closed_at
        written = None if self._written is None else tuple(self._written)
        return place, self.count, self._redelivered, written, self._states, self._next

    def restore(
        self, row: int, closed_at: float, count: int, redelivered: bool, written: Any
    ) -> None:
        """Continue with the values of a row."""
        self.row, self.closed_at, self.count, self._redelivered = row, closed_at, count, redelivered
        self._written = None if written is None else Earlier(*written)


def recovered_amendable(
    journal: Journal, rules: Rules, number: int, content: tuple[Any, ...]
) -> KeptAmendable:
    """Return the group of a row."""
    (window, key, closed_at), count, redelivered, written, states, next_number = content
    values = GroupValues([], states, next_number)
    amendable = KeptAmendable(journal, rules, window, key, values)
    amendable.restore(number, closed_at, count, redelivered, written)
    return amendable
