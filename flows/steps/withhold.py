"""Withholds refused groups of a state while too many are refused: keeps the time, and logs.

`refused_groups.py` decides.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import count

from connectors.message import Answer, Documents
from flows.outcomes.refused_groups import RefusedGroups, refusal
from flows.values.group import Group

log = logging.getLogger("hopper.write")


class SharedRefusals:
    """What the shards of a process share: they may run on several threads."""

    def __init__(self, rejected: int, of: int) -> None:
        """See `RefusedGroups`."""
        self.groups, self.lock = RefusedGroups(rejected, of), threading.Lock()
        self.shards = count()
        """Takes a number for each shard."""


class Withheld:
    """The groups of one shard that stay in the state although the sink has answered."""

    def __init__(
        self, refused: SharedRefusals | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        """Without `refused`, no group is withheld. `clock`: in seconds; omitted: the system's."""
        self._refused, self._clock = refused, clock or time.monotonic
        self._shard = 0 if refused is None else next(refused.shards)

    def __len__(self) -> int:
        return 0 if self._refused is None else self._refused.groups.withheld(self._shard)

    def takes(self, submitted: tuple[Group, Documents] | None, answer: Answer) -> bool:
        """Return whether to withhold a group instead of settling it by this answer."""
        if self._refused is None or submitted is None:
            return False
        group, documents = submitted
        refused = refusal(answer, len(documents.sources))
        if group.kept is None or group.is_early or not (refused or answer.stored):
            return False
        with self._refused.lock:
            groups = self._refused.groups
            before, pause = groups.because, groups.pause
            takes = groups.answered(self._shard, group.number, refused, self._clock())
            because, then = groups.because, groups.pause
        if because and not before:
            log.error(
                "%s: refused groups stay in the state from now on, and one is sent again in %.0f "
                "s; correct the mapping, and all are written",
                *(because, then),
            )
        elif before and not because:
            log.info("a group is stored again: sends all refused groups of the state again")
        elif then != pause and refused is not None:
            log.warning(
                "a group of the state is sent again and refused again; the next one is sent in "
                "%.0f s: %s",
                *(then, refused.reason),
            )
        return takes

    def due(self) -> list[int]:
        """Take the numbers of the groups that are to be sent again now."""
        if self._refused is None or not len(self):
            return []
        with self._refused.lock:
            return self._refused.groups.due(self._shard, self._clock())
