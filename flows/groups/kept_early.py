"""A shard with state that writes the summaries of open windows early.

Pure.

Rule 1: an early summary leaves when the state durably has all that it counts: so after a crash no
        document counts a message that is counted nowhere else.
Rule 2: that a window has an early summary is durable before it is written, so that the next process
        replaces it where its window goes on without its members (see `early.py`).
Rule 3: the next process does not know whether the last summary was written: it writes the summaries
        of all open windows once.
"""

from __future__ import annotations

from flows.groups.departures import ShardOutput
from flows.groups.early import EarlyShard
from flows.groups.kept_group import KeptGroup
from flows.groups.kept_shard import KeptShard
from flows.groups.open_group import OpenGroup
from flows.state.commit import Recovered


class KeptEarlyShard(KeptShard, EarlyShard):
    """The open groups of some keys in aligned windows, durable, with early summaries."""

    def recover(self, recovered: Recovered, now: float, name: str = "") -> list[ShardOutput]:
        """See `KeptShard`."""
        out = super().recover(recovered, now, name)
        for group in self._open.all():
            self._note_changed(group, now)  # Rule 3
            if isinstance(group, KeptGroup) and group.has_early:
                self._written.add(group)
        return out

    def _note_early(self, group: OpenGroup) -> None:
        super()._note_early(group)
        if isinstance(group, KeptGroup) and not group.has_early:
            group.has_early = True
            self._journal.changed(group)  # Rule 2
