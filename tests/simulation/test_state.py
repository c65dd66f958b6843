"""Groups in the state with random faults: each message is counted in exactly one summary."""

from __future__ import annotations

import pytest

from tests.simulation.kept_world import KeptWorld
from tests.simulation.world import SEEDS


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_in_exactly_one_summary(seed: int) -> None:
    """Crashes come between any two steps, and in a commit; no message is acknowledged before."""
    world = KeptWorld(seed)
    for _ in range(300):
        world.move()
        world.check()

    world.drain()

    world.check()
    world.flush()
    world.check()
    assert world.queue.unacknowledged == 0
    assert {*world.numbers(), *world.parked_numbers()} == {*range(1, world.published + 1)}
