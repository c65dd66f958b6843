"""Shows the oldest open groups of a process, when a reader asks for them.

Pure. Only the dataflow's thread may read a shard. So a reader asks, and each shard's step answers
at its next batch or timer, which is at most half a second away while a group is open. Without a
question, a batch costs two comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import NamedTuple

from flows.groups.shard import Shard

SHOWN = 10
"""Groups that are shown."""


class OldGroup(NamedTuple):
    """One open group."""

    opened_at: float
    """In seconds since 1970, by the clock of its step."""
    key: str | None
    """`None`: groups have no keys."""
    members: int


class OldestGroups:
    """The oldest open groups of all shards of a process."""

    def __init__(self) -> None:
        self.asked = 0
        """How many times a reader has asked."""
        self._shards: list[ShardView] = []

    def of_shard(self) -> ShardView:
        """Make the view of one more shard."""
        self._shards.append(view := ShardView(self))
        return view

    def ask(self) -> None:
        """Ask all shards for their oldest groups; from any thread."""
        self.asked += 1

    @property
    def are_known(self) -> bool:
        """Whether each shard has answered since the last question."""
        return all(view.is_answered for view in self._shards)

    def __call__(self) -> list[OldGroup]:
        """Return the oldest groups as the shards have answered last, the oldest first."""
        shown = [group for view in self._shards for group in view.groups]
        return nsmallest(SHOWN, shown, key=lambda group: group.opened_at)


class ShardView:
    """The oldest open groups of one shard, as of the last question."""

    def __init__(self, questions: OldestGroups) -> None:
        self._questions, self._answered, self._open = questions, 0, 0
        self.groups: Sequence[OldGroup] = ()

    @property
    def is_answered(self) -> bool:
        """Whether they are as of the last question; a shard without groups needs no answer."""
        return not self._open or self._answered == self._questions.asked

    def update(self, shard: Shard) -> None:
        """Answer, if there is a question; called after each batch, on the thread of the shard."""
        self._open, asked = shard.open_groups, self._questions.asked
        if not self._open:
            self.groups = ()
        elif asked != self._answered:
            oldest = shard.oldest(SHOWN)
            self.groups = [OldGroup(one.opened_at, one.key, one.count) for one in oldest]
            self._answered = asked
