"""Two jobs on one queue and one store, with random faults: each message counts once.

Neither knows the other. Each crashes, loses connections without noticing, and loses answers of the
store; messages that one of them held are redelivered to the other. `HOPPER_SEED=7 pytest
tests/simulation/test_writers.py` repeats one simulation.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import pytest

from connectors.memory.broker import MemoryQueue
from connectors.memory.store import MemoryStore
from connectors.message import Properties
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from tests.simulation.events import event
from tests.simulation.window_world import WindowWorld, replaced_by_early
from tests.simulation.world import SEEDS, SimulatedWorld, fields

_worlds = itertools.count()


class Writer(WindowWorld):
    """One of the jobs."""

    def __init__(self, seed: int, pair: TwoJobs) -> None:
        self.pair = pair
        super().__init__(seed)

    def _spec(self, name: str) -> Pipeline:
        self.reduced, self.on_stop = True, "requeue"
        return self.pair.spec

    def _simulation(self) -> Simulation:
        return Simulation(self.spec, queues=self.pair.queues, store=self.pair.store)

    def publish(self) -> None:
        self.pair.publish()

    def pass_time(self) -> None:
        super().pass_time()
        for other in self.pair.writers:
            other.simulation.now = self.simulation.now

    def go_down(self) -> None:
        self.random.choice([self.store.go_down, self.store.go_mute])()

    def move(self) -> None:
        """Few faults, so that much is written in between."""
        moves = {
            self.publish: 5,
            self.deliver: 10,
            self.aggregate: 10,
            self.write: 10,
            self.acknowledge: 10,
            self.pass_time: 3,
            self.cut: 0.2,
            self.go_down: 0.5,
            self.come_up: 2,
            self.crash: 0.15,
        }
        self.random.choices(list(moves), list(moves.values()))[0]()

    def crash(self) -> None:
        """The clock belongs to both jobs."""
        SimulatedWorld.crash(self)


class TwoJobs:
    """Both jobs, on the same queue and store."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.published = 0
        self.all_named = self.random.random() < 0.7
        self.writers: list[Writer] = []
        self.spec = self._spec(f"writers-{next(_worlds)}")
        self.queue, self.store = MemoryQueue(), MemoryStore()
        self.queues = dict.fromkeys(self.spec.source.chosen.queue, self.queue)
        self.writers = [Writer(seed, self), Writer(seed + 1000, self)]

    def _spec(self, name: str) -> Pipeline:
        chance = self.random
        tumbling: dict[str, Any] = {"every": "2s", "event_time": "at", "lateness": "1s"}
        tumbling |= {"ahead": "1s", "idle_after": chance.choice(["3s", "30s"])}
        if chance.random() < 0.5:
            tumbling["emit_every"] = "1s"
        source = {"consumers": chance.randint(1, 2), "prefetch": chance.choice([20, 100])}
        reduction: dict[str, Any] = {"numbers": {"list": "n"}}
        if chance.random() < 0.2:
            reduction["order"] = {"list": "at"}
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": {
                    "by": "key",
                    "window": {"tumbling": tumbling},
                    "late": chance.choice(["park", "amend"]),
                    "on_stop": "requeue",
                    "max_groups": 1000,  # so that there is one shard
                    "reduce": reduction,
                },
                "sink": {"memory": {"name": name}},
            }
        )

    def publish(self) -> None:
        """With an id, to deduplicate it; in some worlds a few messages have none."""
        for _ in range(self.random.randint(1, 4)):
            self.published += 1
            body = event(self.random, self.published, self.writers[0].simulation.now)
            named = self.all_named or self.random.random() < 0.98
            name = str(self.published) if named else None
            self.queue.publish(body, properties=Properties(message_id=name))

    def move(self, times: int) -> None:
        for _ in range(times):
            self.random.choice(self.writers).move()

    def check(self) -> None:
        """The invariants at any moment."""
        one = self.writers[0]
        counted, parked = Counter(one.numbers()), one.parked_numbers()
        assert not self.all_named or set(counted.values()) <= {1}, "counted twice"
        gone = {fields(body)["n"] for body in self.queue.acknowledged}
        assert gone <= set(counted) | parked, "acknowledged before it was stored or parked"
        for document in one.store.documents:
            summary = fields(document.source)
            assert summary["count"] == len(summary["numbers"]), "a document does not add up"
        assert not replaced_by_early(one.store), "an early summary replaced a final one"
        for writer in self.writers:
            writer.check_accounts()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_in_one_document_or_parked_for_any_writer(seed: int) -> None:
    """Until both have drained; messages that they requeue are redelivered."""
    pair = TwoJobs(seed)
    for _ in range(60):
        pair.move(10)
        pair.check()

    for writer in pair.writers:
        writer.drain()

    pair.check()
    one = pair.writers[0]
    left = {fields(delivery.body)["n"] for delivery in pair.queue.waiting}
    assert set(range(1, pair.published + 1)) == {*one.numbers(), *one.parked_numbers(), *left}
    reasons = {rejected.rejection.reason.partition(":")[0] for rejected in pair.queue.parked}
    assert reasons <= {"late", "ambiguous_window"}


def test_both_jobs_write_parts_of_the_same_windows() -> None:
    """Otherwise these simulations would not test what they are for."""
    beside = 0
    for seed in range(10):
        pair = TwoJobs(seed)
        pair.move(600)
        beside += sum("#" in (document.id or "") for document in pair.writers[0].store.documents)
    assert beside > 30
