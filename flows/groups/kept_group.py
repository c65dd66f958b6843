"""A group whose durable state counts its members: it keeps neither their tags nor their names.

Pure. Its members are acknowledged before it is complete, so none of them leaves it, and its summary
settles none.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NoReturn

from connectors.message import Origin, Outcomes
from flows.groups.open_group import DuplicateOfOpen, GroupValues, weight
from flows.groups.rules import Rules
from flows.state.commit import Row, Table
from flows.state.journal import Journal
from flows.state.rows import UNKNOWN, decoded, encoded
from flows.values.group import Member, Summary


class KeptGroup:
    """A group with running values, of which the journal notes each change."""

    __slots__ = (
        *("_journal", "_redelivered", "_rules", "_state", "_until"),
        *("bytes", "count", "key", "last_at", "opened_at", "row", "size", "window"),
    )

    table = Table.GROUPS
    duplicates: Sequence[DuplicateOfOpen] = ()
    """None: the shard recognises redelivered messages by the names that the state keeps."""

    def __init__(
        self, journal: Journal, rules: Rules, key: str | None, window: int | None, now: float
    ) -> None:
        assert rules.tally
        self._journal, self._rules = journal, rules
        self.key, self.window = key, window
        self.opened_at = self.last_at = now
        self.count = self.bytes = self.row = 0
        self.size: int | None = None
        self._redelivered = False
        self._state = rules.tally.start()
        self._until = rules.until_tally.start() if rules.until_tally else None

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`."""
        rules, number = self._rules, self.count
        rules.tally.add(self._state, member.values, number)  # type: ignore[union-attr]
        if rules.weighs:
            self.bytes += weight(member)
            if rules.until_tally:
                rules.until_tally.add(self._until, member.values, number)
        if member.message.redelivered:
            self._redelivered = True
        self.count = number + 1
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
        """See `OpenGroup`; they are not kept."""
        return UNKNOWN

    def summary(self, name: str | None = None) -> Summary:
        """See `OpenGroup`."""
        values = self._rules.tally.results([self._state])  # type: ignore[union-attr]
        return Summary(values=dict(values), tags={}, count=self.count, name=name)

    def leave(self) -> tuple[list[Member], Summary | None]:
        """See `OpenGroup`; the shard gives the summary its name."""
        return [], self.summary()

    def values(self) -> GroupValues:
        """See `OpenGroup`."""
        return GroupValues([], [self._state], self.count)

    def everything(self) -> NoReturn:
        """See `OpenGroup`."""
        raise AssertionError("a group that may be parked keeps its members")

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`; its messages are acknowledged with the commit that counts them."""
        return []

    def forget(self) -> None:
        """See `OpenGroup`."""
        self._journal.gone(self)
        self._state = self._until = None

    def encoded(self) -> bytes:
        """Return the group as the bytes of its row."""
        place = self.key, self.window, self.opened_at, self.last_at
        size = self.count, self.bytes, self.size, self._redelivered
        return encoded((place, size, self._state, self._until))


def recovered_group(journal: Journal, rules: Rules, row: Row) -> KeptGroup:
    """Return the group of a row."""
    (key, window, opened_at, last_at), size, state, until = decoded(row[1])
    group = KeptGroup(journal, rules, key, window, opened_at)
    group.row, group.last_at = row[0], last_at
    group.count, group.bytes, group.size, group._redelivered = size
    group._state, group._until = state, until
    return group
