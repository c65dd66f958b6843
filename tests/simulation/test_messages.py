"""With random faults, no message is lost or acknowledged early."""

from __future__ import annotations

import pytest

from tests.simulation.world import SEEDS, SimulatedWorld


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_has_exactly_one_place(seed: int) -> None:
    """At every moment; after a drain, each is stored, parked, or left to the broker."""
    world = SimulatedWorld(seed)
    for _ in range(200):
        world.move()
        world.check()

    world.drain()

    world.check()
    assert world.queue.unacknowledged == 0
    if world.on_stop == "write" and not (world.reduced and world.crashes):
        assert len(set(world.numbers())) == len(world.numbers()), "stored twice"
    assert set(world.store.windows) <= set(range(1, world.count + 1))
