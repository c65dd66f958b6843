"""A group of the state that is reduced while its members arrive: it keeps only running values.

Pure.
"""

from __future__ import annotations

from flows.groups.kept_group import KeptGroup
from flows.groups.open_group import GroupValues
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
        self._rules.tally.add(self._state, member.values, self.count)  # type: ignore[union-attr]
        super().add(member, now)

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
