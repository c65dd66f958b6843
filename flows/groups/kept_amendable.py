"""A written group in a closed window that late messages may amend: what it counts is durable.

Pure. Each revision has all members of the group, so that the last one alone can be written. As an
open group, it keeps either values or its members on the disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from typing import Any

from flows.groups.amendments import Amendable
from flows.groups.kept_held import Alone, by_itself
from flows.groups.open_group import GroupValues
from flows.groups.rules import Rules
from flows.state.blocks import RowBlock
from flows.state.commit import Table
from flows.state.journal import Journal
from flows.state.rows import UNKNOWN, encoded_members
from flows.values.group import Earlier, FirstRevision, Kept, Member, Summary


class KeptAmendable(Amendable, ABC):
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

    @property
    def kept(self) -> Kept:
        """What the state has of a revision that leaves now."""
        return Kept()

    @property
    @abstractmethod
    def summary(self) -> Summary | None:
        """The summary of a revision that leaves now; `None`: its members are on the disk."""

    def left(self, number: int, count: int, *, redelivered: bool) -> None:
        """Note the group whose values or members these are."""
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
        """See `flows.state.blocks.KeptRow`; each kind of group adds what is its own."""
        place = self.window, self.key, self.closed_at
        written = None if self._written is None else tuple(self._written)
        return place, self.count, self._redelivered, written

    def restore(self, row: int, content: tuple[Any, ...]) -> None:
        """Continue with the content of a row."""
        (_, _, self.closed_at), self.count, self._redelivered, written, *_ = content
        self.row = row
        self._written = None if written is None else Earlier(*written)

    def _taken_in(self, member: Member, now: float) -> None:
        self._redelivered = self._redelivered or member.message.redelivered
        self._journal.taken_in(self, member, now)


class AmendableValues(KeptAmendable):
    """Such a group that keeps running values."""

    @property
    def summary(self) -> Summary:
        """See `KeptAmendable`."""
        return Summary(values=self.results(), tags={}, count=self.count, name=None)

    def add(self, member: Member, now: float) -> None:
        """See `Amendable`."""
        super().add(member, now)
        self._taken_in(member, now)

    def content(self) -> tuple[Any, ...]:
        """See `KeptAmendable`."""
        return *super().content(), self._states, self._next

    def restore(self, row: int, content: tuple[Any, ...]) -> None:
        """See `KeptAmendable`."""
        super().restore(row, content)
        *_, self._states, self._next = content


class AmendableMembers(KeptAmendable):
    """Such a group whose members are on the disk, in the row that they had while it was open.

    They stay until its window is over and no revision waits for the sink: a revision is read again
    after a crash.
    """

    def __init__(
        self,
        alone: Alone,
        over: Callable[[AmendableMembers], object],
        journal: Journal,
        rules: Rules,
        window: int,
        key: str | None,
    ) -> None:
        """`over`: called when late messages can not amend it any more."""
        super().__init__(journal, rules, window, key, GroupValues([], [], 0))
        self._alone, self._over = alone, over
        self._new: list[Member] = []
        """Late members since the last revision."""
        self._bytes = 0
        """Of the members in the state."""
        self._revisions: list[int] = []
        """Numbers of the revisions that may wait for the sink."""

    @property
    def kept(self) -> Kept:
        """See `KeptAmendable`."""
        return Kept(self.row, self.count, self._bytes)

    @property
    def summary(self) -> None:
        """See `KeptAmendable`."""

    def add(self, member: Member, now: float) -> None:
        """See `Amendable`."""
        self.count += 1
        self._taken_in(member, now)
        self._journal.has_new_members(self)
        self._new.append(by_itself(member, self._alone))

    def take_over(self, kept: Kept) -> None:
        """Take over the members of the open group."""
        self.row, self._bytes = kept.row, kept.bytes

    def next_revision(self, number: int) -> FirstRevision:
        """See `KeptAmendable`."""
        self.waits(number)
        return super().next_revision(number)

    def waits(self, number: int) -> None:
        """Note a revision that waits for the sink."""
        self._revisions.append(number)

    def forget(self) -> None:
        """See `Amendable`."""
        self._over(self)

    def release(self, waits: Callable[[int], bool]) -> bool:
        """Let the members go, if no revision needs them; return whether they go.

        `waits(number)`: whether a group that has left waits for the sink.
        """
        if any(map(waits, self._revisions)):
            return False
        self._journal.gone(self)
        self._journal.drops(self)
        return True

    def take_new_members(self) -> bytes:
        """See `flows.state.blocks.MembersRow`."""
        packed = encoded_members(self._new)
        self._new = []
        self._bytes += len(packed)
        return packed

    def content(self) -> tuple[Any, ...]:
        """See `KeptAmendable`."""
        return *super().content(), self._bytes

    def restore(self, row: int, content: tuple[Any, ...]) -> None:
        """See `KeptAmendable`."""
        super().restore(row, content)
        *_, self._bytes = content
