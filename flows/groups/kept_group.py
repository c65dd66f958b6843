"""What groups have in common whose durable state counts their members.

Pure. Their members are acknowledged before they are complete: so none of them leaves a group, and a
group that leaves settles none. The journal notes each change.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NoReturn

from connectors.message import Origin, Outcomes
from flows.groups.open_group import DuplicateOfOpen, weight
from flows.groups.rules import Rules
from flows.state.blocks import RowBlock
from flows.state.commit import Table
from flows.state.journal import Journal
from flows.state.rows import UNKNOWN
from flows.values.group import Member


class KeptGroup:
    """An open group that has a row in the state."""

    __slots__ = (
        *("_journal", "_redelivered", "_rules", "_state", "_until"),
        *("block", "bytes", "count", "has_early", "key", "last_at", "opened_at", "row", "size"),
        "window",
    )

    table = Table.GROUPS
    duplicates: Sequence[DuplicateOfOpen] = ()
    """None: the shard recognises redelivered messages by the names that the state keeps."""

    def __init__(
        self, journal: Journal, rules: Rules, key: str | None, window: int | None, now: float
    ) -> None:
        self._journal, self._rules = journal, rules
        self.key, self.window = key, window
        self.opened_at = self.last_at = now
        self.count = self.bytes = self.row = 0
        self.size: int | None = None
        self.block: RowBlock | None = None
        """See `flows.state.blocks.KeptRow`."""
        self._redelivered = False
        self.has_early = False
        """Its window may have an early summary."""
        self._state: Any = None
        """What the group has beside that; each kind of group has its own."""
        self._until = rules.until_tally.start() if rules.until_tally else None

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`; each kind of group does what is its own beside that."""
        rules = self._rules
        if rules.weighs:
            self.bytes += weight(member)
            if rules.until_tally:
                rules.until_tally.add(self._until, member.values, self.count)
        if member.message.redelivered:
            self._redelivered = True
        self.count += 1
        self.last_at = now
        self._journal.taken_in(self, member, now)

    @property
    def redelivered(self) -> Sequence[Hashable]:
        """See `OpenGroup`; unknown ones, if there is any."""
        return UNKNOWN if self._redelivered else ()

    def add_duplicate(self, member: Member) -> bool:
        """See `OpenGroup`."""
        return False

    def purge(self, origin: Origin) -> list[Hashable]:
        """See `OpenGroup`; members stay, and their redelivered copies are recognised."""
        return []

    def so_far(self, member: Member) -> Sequence[Any]:
        """See `OpenGroup`."""
        return self._rules.so_far([self._until], member, self.count)

    def identities(self) -> Sequence[Hashable]:
        """See `OpenGroup`; they are not in memory."""
        return UNKNOWN

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`; its messages are acknowledged with the commit that counts them."""
        return []

    def everything(self) -> NoReturn:
        """See `OpenGroup`."""
        raise AssertionError("the state dead-letters the members of its groups")

    def forget(self) -> None:
        """See `OpenGroup`."""
        self._journal.gone(self)
        self._state = self._until = None

    def content(self) -> tuple[Any, ...]:
        """See `flows.state.blocks.KeptRow`."""
        place = self.key, self.window, self.opened_at, self.last_at
        size = self.count, self.bytes, self.size, self._redelivered, self.has_early
        return place, size, self._state, self._until

    def restore(self, row: int, last_at: float, size: tuple[Any, ...], *states: Any) -> None:
        """Continue with the values of a row."""
        self.row, self.last_at = row, last_at
        self.count, self.bytes, self.size, self._redelivered, self.has_early = size
        self._state, self._until = states
