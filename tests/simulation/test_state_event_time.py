"""Groups in the order of event time, in the state, with random faults.

Messages that wait for earlier ones are unacknowledged: each is in exactly one document in the end.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.kept_world import (
    EVENT_TIME,
    KEEPING_MEMBERS,
    REDUCE,
    KeptWorld,
    StreamWorld,
    finish,
)
from tests.simulation.world import SEEDS


class KeptSessionWorld(KeptWorld):
    """Groups that `time` or `idle` ends by event time; one message in five is behind."""

    prefetches = (1000,)

    def _aggregate(self) -> dict[str, Any]:
        chance = self.random
        more = {**chance.choice([REDUCE, REDUCE, *KEEPING_MEMBERS])}
        more["on_stop"] = chance.choice(["keep", "keep", "park"])
        if chance.random() < 0.3:
            more["distinct"] = {"by": "n", "for": "1h"}
        ends: dict[str, Any] = chance.choice([{"idle": "1s"}, {"time": "2s"}])
        if chance.random() < 0.3:
            ends["count"] = 3
        more["late"] = chance.choice(["park", "new"])
        return {"window": {**EVENT_TIME, **ends}, **more}


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
