"""A shard that writes the summaries of open windows early, again and again.

Pure. An early summary settles no message, and its place is free for the final one of any process
(see `outcomes/claims.py`).

Rule 1: `emit_every` runs by the clock, at whole multiples since 1970. At each of these times, the
        running summary of each group that has had a message since the last one is written.
Rule 2: If a group leaves by another rule than the end of its window, its summary has an `_id` of
        its own, and the window goes on without its members. So the early summary is written again,
        empty: otherwise it would count them too.
Rule 3: At most `AT_ONCE` summaries leave together, so that many groups do not stop the dataflow.
"""

from __future__ import annotations

from connectors.message import Origin
from flows.groups.departures import ShardOutput
from flows.groups.open_group import OpenGroup
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from flows.values.group import Group, Member

AT_ONCE = 1000


class EarlyShard(Shard):
    """The open groups of some keys in aligned windows, with summaries while they are open."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        assert rules.emit_every is not None
        self._every = rules.emit_every
        self._changed: dict[OpenGroup, None] = {}
        """Groups that have had a message since their last summary."""
        self._next_at: float | None = None
        """When their summaries are written; `None`: there are none."""
        self._emitting: dict[OpenGroup, None] = {}
        """Groups whose summary is due since `_emitting_at`."""
        self._emitting_at = 0.0
        self._written: set[OpenGroup] = set()
        """Groups that have an early summary."""

    @property
    def due_at(self) -> float | None:
        """See `Shard`; early summaries are due too."""
        times = (super().due_at, self._emitting_at if self._emitting else None, self._next_at)
        return min((at for at in times if at is not None), default=None)

    def complete_due(self, now: float) -> list[ShardOutput]:
        """See `Shard`; early summaries follow the groups that are complete."""
        out = super().complete_due(now)
        if self._next_at is not None and self._next_at <= now:  # Rule 1
            self._emitting_at, self._next_at = self._next_at, None
            self._emitting |= self._changed
            self._changed = {}
        for _ in range(min(AT_ONCE, len(self._emitting))):  # Rule 3
            group, _ = self._emitting.popitem()
            if group.count:
                out.append(self._early(group))
        return out

    def purge(self, origin: Origin) -> None:
        """See `Shard`."""
        super().purge(origin)
        for group in [one for one in (*self._written, *self._changed) if not one.count]:
            self._forget(group)

    def _take_in(
        self, group: OpenGroup, member: Member, now: float, out: list[ShardOutput]
    ) -> None:
        self._note_changed(group, now)
        super()._take_in(group, member, now, out)

    def _leave(self, group: OpenGroup, reason: str, out: list[ShardOutput]) -> None:
        if self._forget(group) and reason != "window":  # Rule 2
            out.append(self._departures.early(group, is_empty=True))
        super()._leave(group, reason, out)

    def _note_changed(self, group: OpenGroup, now: float) -> None:
        """Write the summary of a group at the next of these times. Rule 1."""
        self._changed[group] = None
        if self._next_at is None:
            self._next_at = (now // self._every + 1) * self._every

    def _early(self, group: OpenGroup) -> Group:
        """Return the summary of an open group, and note that it has one. Rule 2."""
        self._written.add(group)
        return self._departures.early(group)

    def _forget(self, group: OpenGroup) -> bool:
        """Forget a group that is not open any more; return whether it has an early summary."""
        self._changed.pop(group, None)
        self._emitting.pop(group, None)
        has_summary = group in self._written
        self._written.discard(group)
        return has_summary
