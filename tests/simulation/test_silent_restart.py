"""No restart closes a window of event time earlier, or ends a session, if partitions are silent."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.message import Outcomes
from flows.groups.rules import Tumbling
from flows.values.group import Group, Progress
from tests.flows.kept_shards import TALLY, OneShard, sent

IDLE_AFTER = 5.0
PARTITIONS = ("q/000", "q/001")
KINDS: dict[str, dict[str, Any]] = {
    "windows": {"tumbling": Tumbling(10.0, by_event=True, idle_after=IDLE_AFTER)},
    "sessions": {
        "idle": 10.0,
        "event_order": Tumbling(0.1, by_event=True, idle_after=IDLE_AFTER),
    },
}

Arrival = tuple[float, int, float]
"""When a message arrives, of which partition, and how far its event time is behind."""


class Restarted:
    """A shard that is restarted at one moment, when the broker redelivers what has no answer."""

    def __init__(self, kind: str) -> None:
        self._rules = {**KINDS[kind], "tally": TALLY, "hold": False, "partitions": PARTITIONS}
        self._shard = OneShard(**self._rules)
        self._open: dict[int, Arrival] = {}
        """Messages without an answer, by their numbers."""
        self.left: dict[int, float] = {}
        """When each message has left, by its number."""

    def run(self, arrivals: list[Arrival], restart_at: float) -> dict[int, float]:
        """Return when each message leaves."""
        waiting = [*enumerate(sorted(arrivals), start=1)]
        self._shard.shard.complete_due(0.0)  # it begins
        while True:
            due = self._shard.shard.due_at
            next_at = [at for _, (at, _, _) in waiting[:1]] + ([] if due is None else [due])
            if not next_at and restart_at == inf:
                return self.left
            now = min([*next_at, restart_at])
            if now == restart_at:
                restart_at, self._shard = inf, OneShard(self._shard.store, **self._rules)
                for number, arrival in [*self._open.items()]:
                    self._take(number, arrival, now)
            while waiting and waiting[0][1][0] <= now:
                self._take(*waiting.pop(0), now)
            self._shard.shard.complete_due(now)
            self._note(now)

    def _take(self, number: int, arrival: Arrival, now: float) -> None:
        at, partition, behind = arrival
        self._open[number] = arrival
        self._shard.shard.add([sent(number, at=at - behind)], now)
        self._shard.shard.note_progress(Progress(PARTITIONS[partition], at - behind), now)

    def _note(self, now: float) -> None:
        made = self._shard.shard.commit(now, last=True)
        if made is None:
            return
        self._shard.store.write(made)
        for one in self._shard.shard.durable():
            if isinstance(one, Outcomes):
                for tag in one.kept:
                    del self._open[tag]
            elif isinstance(one, Group) and one.summary:
                for number in one.summary.values["numbers"]:
                    self.left.setdefault(number, now)


@pytest.mark.parametrize("kind", KINDS)
@given(
    arrivals=st.lists(
        st.tuples(
            st.integers(0, 60).map(float),
            st.integers(0, 1),
            st.sampled_from([0.0, 3.0, 100.0, 115.0]),
        ),
        min_size=1,
        max_size=6,
    ),
    restart_at=st.integers(0, 100).map(float),
)
@example(arrivals=[(50.0, 0, 100.0)], restart_at=55.0)
def test_a_restart_lets_no_message_leave_earlier(
    kind: str, arrivals: list[Arrival], restart_at: float
) -> None:
    without = Restarted(kind).run(arrivals, inf)
    with_restart = Restarted(kind).run(arrivals, restart_at)

    for number, at in with_restart.items():
        assert at >= without.get(number, at)
