"""A group of the state that is reduced while its members arrive: it keeps only running values.

Pure.
"""

from __future__ import annotations

from typing import ClassVar

from flows.groups.kept_group import KeptGroup, unpacked
from flows.groups.open_group import GroupValues
from flows.values.group import Kept, Member, Summary


class KeptRunning(KeptGroup):
    """A group with running values."""

    kept: ClassVar[Kept] = Kept()
    """See `OpenGroup`."""

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`."""
        self._reduced = unpacked(self._reduced)
        self._rules.tally.add(self._reduced, member.values, self.count)  # type: ignore[union-attr]
        super().add(member, now)

    def summary(self, name: str | None = None) -> Summary:
        """See `OpenGroup`."""
        values = self._rules.tally.results([unpacked(self._reduced)])  # type: ignore[union-attr]
        return Summary(values=dict(values), tags={}, count=self.count, name=name)

    def leave(self) -> tuple[list[Member], Summary | None]:
        """See `OpenGroup`; the shard gives the summary its name."""
        return [], self.summary()

    def values(self) -> GroupValues:
        """See `OpenGroup`."""
        return GroupValues([], [unpacked(self._reduced)], self.count)
