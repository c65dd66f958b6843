"""Aligned windows with random faults: each message is counted once, or parked."""

from __future__ import annotations

import pytest

from tests.simulation.window_world import WindowWorld
from tests.simulation.world import SEEDS, fields


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_counted_once_or_parked(seed: int) -> None:
    """At every moment; after a drain each is stored, parked, or left to the broker."""
    world = WindowWorld(seed)
    for _ in range(300):
        world.move()
        world.check()

    world.drain()

    world.check()
    left = {fields(delivery.body)["n"] for delivery in world.queue.waiting}
    assert set(range(1, world.published + 1)) == {
        *world.numbers(),
        *world.parked_numbers(),
        *left,
    }
