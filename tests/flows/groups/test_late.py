"""The outcome of a late message does not depend on the shard of its key.

Messages go through the steps as on Bytewax: a shard runs when a message arrives for it, and at its
timer, which it has only while it has open groups.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.message import Outcomes
from flows.groups.departures import ShardOutput
from flows.simulation.simulation import Left, Simulation
from flows.spec import Pipeline
from flows.values.group import Group

CONSUMERS = ("late/000", "late/001")


class LateJob:
    """Two consumers, eight shards, and a clock that a test moves."""

    def __init__(self, late: str = "amend", **aggregate: Any) -> None:
        tumbling = {"every": "5s", "event_time": "ts", "idle_after": "5s"}
        rules = {"by": "k", "late": late, "reduce": {"n": "count"}, **aggregate}
        spec = Pipeline.model_validate(
            {
                "version": 1,
                "name": "late",
                "source": {"memory": {"name": "late", "consumers": 2}},
                "aggregate": {"window": {"tumbling": tumbling}, **rules},
                "sink": {"memory": {"name": "late"}},
            }
        )
        self._simulation = Simulation(spec)

    def deliver(self, now: float, consumer: int, key: str, ts: float) -> list[ShardOutput]:
        """Deliver a message, and return what leaves any shard."""
        simulation = self._simulation
        simulation.pass_to(now)
        before = len(simulation.events)
        simulation.queue.publish(json.dumps({"k": key, "ts": ts}).encode())
        simulation.deliver(CONSUMERS[consumer])
        since = simulation.events[before:]
        return [event.what.value for event in since if isinstance(event.what, Left)]


def became(left: list[ShardOutput], key: str) -> str:
    """The outcome of the one message of that key."""
    for one in left:
        if isinstance(one, Group) and one.completed_by == "late" and one.key == json.dumps(key):
            return "amended"
        if isinstance(one, Outcomes) and one.rejected:
            return one.rejected[0].rejection.reason.partition(":")[0]
    return "open"


@pytest.mark.parametrize("key", "abcdefgh")
def test_a_window_that_was_open_when_the_watermark_began_is_amended(key: str) -> None:
    """Consumer 1 delivers nothing until then, so there is a watermark once both are idle."""
    job = LateJob()
    job.deliver(0.0, 0, "a", 0.0)
    job.deliver(20.0, 1, "a", 20.5)

    assert became(job.deliver(21.0, 1, key, 11.0), key) == "amended"


@pytest.mark.parametrize("key", "abcdefgh")
def test_a_window_that_was_over_before_is_not_amended(key: str) -> None:
    """Another process may have written it, with members that this process does not know."""
    job = LateJob()
    job.deliver(0.0, 0, "a", 12.0)
    job.deliver(20.0, 1, "a", 30.5)

    assert became(job.deliver(21.0, 1, key, 6.0), key) == "late"
    assert became(job.deliver(22.0, 1, key, 11.0), key) == "amended"


@pytest.mark.parametrize(("now", "expected"), [(39.0, "amended"), (41.0, "late")])
@pytest.mark.parametrize("key", "abcdefgh")
def test_a_window_is_amended_for_amend_for_after_the_clock_closed_it(
    key: str, now: float, expected: str
) -> None:
    """The window from 0 to 5 is closed at 10: five seconds after both are idle."""
    job = LateJob(amend_for="30s")
    job.deliver(0.0, 0, "a", 0.0)

    assert became(job.deliver(now, 1, key, 3.0), key) == expected


@pytest.mark.parametrize("key", "abcdefgh")
def test_a_late_message_is_late_on_every_shard(key: str) -> None:
    job = LateJob(late="park")
    job.deliver(0.0, 0, "a", 0.0)
    job.deliver(20.0, 1, "a", 20.5)

    assert became(job.deliver(21.0, 1, key, 19.9), key) == "late"
    assert became(job.deliver(21.0, 1, key, 20.1), key) == "open"
