"""Groups in the order of event time, in the state, with random faults.

Messages that wait for earlier ones are unacknowledged: each is in exactly one document in the end.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from flows.spec import Pipeline
from tests.simulation.kept_world import KEEPING_MEMBERS, RUNNING, KeptWorld, StreamWorld, finish
from tests.simulation.world import SEEDS

_worlds = itertools.count()


class KeptSessionWorld(KeptWorld):
    """Groups that `time` or `idle` ends by event time; one message in five is behind."""

    def _spec(self, name: str) -> Pipeline:
        chance, self.count = self.random, 0
        more = {**chance.choice([RUNNING, RUNNING, *KEEPING_MEMBERS])}
        more |= {"on_stop": chance.choice(["keep", "keep", "park"]), **self.few_shards()}
        self.reduced, self.on_stop = "reduce" in more, more["on_stop"]
        if chance.random() < 0.3:
            more["distinct"] = {"by": "n", "for": "1h"}
        ends: dict[str, Any] = chance.choice([{"idle": "1s"}, {"time": "2s"}])
        if chance.random() < 0.3:
            ends["count"] = 3
        window = {"event_time": "at", "lateness": "1s", "ahead": "1s", "idle_after": "3s", **ends}
        more["late"] = chance.choice(["park", "new"])
        name = f"sessions-{next(_worlds)}"
        source = {"consumers": chance.randint(1, 3), "prefetch": 1000}
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": {"by": "key", "window": window, **more},
                "sink": {"memory": {"name": name}},
                "state": {"path": "in memory"},
            }
        )


class SessionStreamWorld(StreamWorld, KeptSessionWorld):
    """The same with a stream."""


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_in_exactly_one_session(seed: int) -> None:
    """Crashes come between any two steps, and in a commit."""
    finish(KeptSessionWorld(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_of_a_stream_is_in_exactly_one_session(seed: int) -> None:
    """By their offsets, although they enter groups in another order."""
    finish(SessionStreamWorld(seed))
