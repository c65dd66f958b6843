"""A shard with state that writes the summaries of open windows early.

Pure.

Rule 1: an early summary leaves when the state durably has all that it counts: so after a crash no
        document counts a message that is counted nowhere else.
Rule 2: that a window has an early summary is durable before it is written, so that the next process
        replaces it where its window goes on without its members (see `early.py`).
Rule 3: the next process does not know whether the last summary was written: it writes the summaries
        of all open windows once.
Rule 4: the members of a group that keeps them are read for its early summary, as for a group that
        has left. If it leaves meanwhile, or the job stops, no early summary is written; if another
        one is due before they are read, there is one for both.
"""

from __future__ import annotations

from collections import deque

from flows.groups.departures import ShardOutput
from flows.groups.early import EarlyShard
from flows.groups.kept_group import KeptGroup
from flows.groups.kept_held import Alone
from flows.groups.kept_shard import KeptShard
from flows.groups.open_group import OpenGroup
from flows.groups.rules import Rules
from flows.state.commit import Loaded, Recovered
from flows.values.group import Group


class KeptEarlyShard(KeptShard, EarlyShard):
    """The open groups of some keys in aligned windows, durable, with early summaries."""

    def __init__(self, rules: Rules, every: float, token: str, alone: Alone) -> None:
        super().__init__(rules, every, token, alone)
        self._asked: dict[int, OpenGroup] = {}
        """Groups whose members are read for an early summary, by its number."""
        self._queued: set[OpenGroup] = set()
        """Those that wait for room. Rule 4."""
        self._stops = False

    def stop(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        self._stops = True
        self._unread = deque(group for group in self._unread if not group.is_early)
        return super().stop(now)

    def next_to_read(self) -> Group:
        """See `KeptShard`."""
        group = super().next_to_read()
        if group.is_early:
            self._queued.discard(self._asked[group.number])
        return group

    def loaded(self, loaded: Loaded) -> list[Group]:
        """See `KeptShard`. Rule 4."""
        [group] = super().loaded(loaded)
        asked = self._asked.pop(loaded.number, None)
        return [] if asked is not None and asked not in self._written else [group]

    def recover(
        self, recovered: Recovered, now: float, name: str = "", turn: int = 0
    ) -> list[ShardOutput]:
        """See `KeptShard`."""
        out = super().recover(recovered, now, name, turn)
        for group in self._open.all():
            self._note_changed(group, now)  # Rule 3
            if isinstance(group, KeptGroup) and group.has_early:
                self._written.add(group)
        return out

    def _early(self, group: OpenGroup) -> Group:
        if isinstance(group, KeptGroup) and not group.has_early:
            group.has_early = True
            self._journal.changed(group)  # Rule 2
        early = super()._early(group)
        if early.summary is None:
            self._asked[early.number] = group
        return early

    def _with_values(self, left: list[Group]) -> list[Group]:
        return super()._with_values([group for group in left if self._is_needed(group)])

    def _is_needed(self, group: Group) -> bool:
        """Return whether a group that may leave is written; of early ones, one is read. Rule 4."""
        asked = self._asked.get(group.number)
        if asked is None:
            return True
        if self._stops or asked in self._queued or asked not in self._written:
            del self._asked[group.number]
            return False
        self._queued.add(asked)
        return True
