"""Messages that are sent twice, with random faults: each counts once for each process.

A restart forgets the values, so a message may count again after a crash. `HOPPER_SEED=7 pytest
tests/simulation/test_distinct.py` repeats one simulation.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from connectors.message import Properties
from flows.spec import Pipeline
from tests.simulation.world import SEEDS, SimulatedWorld, fields

_worlds = itertools.count()


class DistinctWorld(SimulatedWorld):
    """A third of the messages is sent twice or three times, each time as another message."""

    def __init__(self, seed: int) -> None:
        self.sent = 0
        super().__init__(seed)

    def _spec(self, name: str) -> Pipeline:
        chance = self.random
        self.count = chance.choice([1, 3, 10])
        kind: dict[str, Any] = chance.choice(
            [{}, {"by": "key"}, {"by": "key", "reduce": {"numbers": {"list": "n"}}}]
        )
        self.reduced = "reduce" in kind
        window: dict[str, Any] = {"count": self.count, "time": chance.choice(["500ms", "2s"])}
        if chance.random() < 0.3:
            window["bytes"] = 100
        self.on_stop = chance.choice(["write", "requeue"])
        source = {"consumers": chance.randint(1, 3), "prefetch": chance.choice([7, 20, 100])}
        name = f"distinct-{next(_worlds)}"
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": {
                    "distinct": {"by": "n", "for": "1h"},
                    "window": window,
                    "on_stop": self.on_stop,
                    **kind,
                },
                "sink": {"memory": {"name": name}},
            }
        )

    def publish(self) -> None:
        for _ in range(self.random.randint(1, 20)):
            self.published += 1
            bad = self.random.random() < 0.1 and not self.reduced
            for copy in range(self.random.choice([1, 1, 2, 3])):
                self.sent += 1
                # The first copy of some is refused, and the others are not.
                text = b"poison" if bad and copy == 0 else b"fine"
                body = b'{"n":%d,"is":"%s","key":%d}' % (
                    self.published,
                    text,
                    self.published % 4,
                )
                named = self.random.random() < 0.5
                name = f"{self.sent}" if named else None
                self.queue.publish(body, properties=Properties(message_id=name))

    def check(self) -> None:
        counted = Counter(self.numbers())
        assert self.crashes or set(counted.values()) <= {1}, "counted twice"
        parked = {fields(one.message.body)["n"] for one in self.queue.parked}
        gone = {fields(body)["n"] for body in self.queue.acknowledged}
        assert gone <= set(counted), "acknowledged before it was stored"
        reasons = {one.rejection.reason for one in self.queue.parked}
        assert reasons <= {"it is poison"}
        assert all(b"poison" in one.message.body for one in self.queue.parked)
        self.check_accounts()
        places = len(self.queue.waiting) + self.queue.unacknowledged
        settled = len(self.queue.acknowledged) + len(self.queue.parked)
        assert places + settled == self.sent, "a message is in no place, or in two"
        assert parked <= set(range(1, self.published + 1))

    def numbers(self) -> list[int]:
        """Each write counts: documents without an `_id` of their own do not replace each other."""
        documents = [fields(one.source) for one in self.store.written]
        if self.reduced:
            return [n for one in documents for n in one["numbers"]]
        return [one["n"] for one in documents]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_counts_once_or_is_parked(seed: int) -> None:
    """At every moment; after a drain each is stored, parked, or left to the broker."""
    world = DistinctWorld(seed)
    for _ in range(300):
        world.move()
        world.check()

    world.drain()

    world.check()
    left = {fields(delivery.body)["n"] for delivery in world.queue.waiting}
    parked = {fields(one.message.body)["n"] for one in world.queue.parked}
    assert set(range(1, world.published + 1)) == {*world.numbers(), *parked, *left}
