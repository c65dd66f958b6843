"""A group of the state that is reduced while its members arrive: it keeps only running values.

Pure.
"""

from __future__ import annotations

from connectors.message import Outcomes
from flows.groups.kept_group import KeptGroup
from flows.groups.open_group import GroupValues, weight
from flows.groups.rules import Rules
from flows.state.journal import Journal
from flows.values.group import Kept, Member, Summary


class KeptRunning(KeptGroup):
    """A group with running values."""

    __slots__ = ()

    kept = Kept()
    """See `OpenGroup`."""

    def __init__(
        self, journal: Journal, rules: Rules, key: str | None, window: int | None, now: float
    ) -> None:
        super().__init__(journal, rules, key, window, now)
        assert rules.tally
        self._state = rules.tally.start()

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

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`; its messages are acknowledged with the commit that counts them."""
        return []
