"""Waits until the job has settled all messages of its queue, and has written all its groups."""

from __future__ import annotations

import time
from pathlib import Path

from connectors.errors import Unavailable
from flows.state.inspect import inspect
from tests.chaos.aggregates import JobKind
from tests.chaos.shared import Jobs
from tests.chaos.world import ChaosWorld


def settle(world: ChaosWorld, supervisor: Jobs, aggregate: JobKind, within: float) -> int:
    """Wait, and return the number of messages that are left after so many seconds.

    No producer may publish meanwhile.
    """
    deadline = time.monotonic() + within
    while True:
        waiting = world.waiting()
        left = waiting or world.held()
        if not left or time.monotonic() > deadline:
            return left
        if not waiting and not aggregate.ends_by_clock:
            supervisor.complete()
        time.sleep(0.2)


def empty(state: Path, supervisor: Jobs, within: float) -> int:
    """Complete the groups of a state; return how many are left after so many seconds."""
    deadline = time.monotonic() + within
    while (left := groups(state)) and time.monotonic() < deadline:
        supervisor.complete()
        time.sleep(0.2)
    return left


def groups(state: Path) -> int:
    """The number of groups that are open, or wait for the sink."""
    try:
        return sum(shard.groups + shard.waiting for shard in inspect(state).shards)
    except Unavailable:
        return 0  # the job has not made it yet
