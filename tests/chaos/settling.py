"""Waits until the job has settled all messages of its queue."""

from __future__ import annotations

import time

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
