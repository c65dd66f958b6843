"""The real steps with random faults: no message is lost or acknowledged early.

A world is made from a number, its seed: the same seed is the same world, step by step.
`HOPPER_SEED=7 pytest tests/simulation/test_messages.py` repeats one simulation.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Sized
from functools import lru_cache
from typing import Any

from connectors.message import Outcomes, Properties
from flows.audit.counters import in_leaving, in_outcomes
from flows.simulation.simulation import Simulation
from flows.simulation.steps import SimulatedSteps
from flows.spec import Pipeline
from flows.values.columnar import Members
from tests.effort import EFFORT

SEEDS = range(EFFORT.seeds)
if "HOPPER_SEED" in os.environ:
    SEEDS = range(int(os.environ["HOPPER_SEED"]), int(os.environ["HOPPER_SEED"]) + 1)
_worlds = itertools.count()
REDUCED = {"reduce": {"numbers": {"list": "n"}}, "by": "key"}


class SimulatedWorld:
    """A simulation whose next move is random; each step has a queue before it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.crashes = self.published = 0
        self.spec = self._spec(f"world-{next(_worlds)}")
        self.simulation = self._simulation()
        self.queue, self.store = self.simulation.queue, self.simulation.store
        self.store.refuse(b"poison", "it is poison")

    def _simulation(self) -> Simulation:
        return Simulation(self.spec)

    @property
    def steps(self) -> SimulatedSteps:
        """The steps of the process that runs."""
        return self.simulation.steps

    def _spec(self, name: str) -> Pipeline:
        chance = self.random
        self.count = chance.choice([1, 3, 10])
        kind: dict[str, Any] = chance.choice([{}, {}, {"by": "key"}, REDUCED])
        self.reduced = kind is REDUCED
        window = {
            "count": self.count,
            "bytes": chance.choice([None, 40, 1000]),
            "time": chance.choice(["500ms", "2s"]),
        }
        if kind and chance.random() < 0.3:
            window["until"] = "group.sum('n') > 1000"
        self.on_stop = chance.choice(["write", "requeue"])
        source = {"consumers": chance.randint(1, 3), "prefetch": chance.choice([7, 20, 100])}
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": {"window": window, "on_stop": self.on_stop, **kind},
                "sink": {"memory": {"name": name}},
            }
        )

    # The moves.

    def publish(self) -> None:
        for _ in range(self.random.randint(1, 30)):
            self.published += 1
            kind = self.random.random()
            text = b"poison" if kind < 0.05 and not self.reduced else b"fine"
            key = self.random.randint(1, 4)
            body = b'{"n":%d,"is":"%s","key":%d}' % (self.published, text, key)
            if kind > 0.95:
                body = b"%d is no JSON object" % self.published
            self.queue.publish(body, properties=Properties(message_id=str(self.published)))

    def deliver(self) -> None:
        self.steps.deliver(self.random.choice(self.steps.consumers))

    def complete(self) -> None:
        self.simulation.complete()

    def aggregate(self) -> None:
        name = self.random.choice(self.steps.shards)
        self.steps.aggregate(name, self._some(self.steps.to_aggregate[name]))
        self.steps.complete_due(name)

    def write(self) -> None:
        name = self.random.choice(self.steps.shards)
        self.steps.write(name, self._some(self.steps.to_write[name]))

    def acknowledge(self) -> None:
        name = self.random.choice(self.steps.consumers)
        self.steps.acknowledge(name, self._some(self.steps.to_acknowledge[name]))

    def _some(self, waiting: Sized) -> int:
        return self.random.randint(0, len(waiting))

    def pass_time(self) -> None:
        self.simulation.now += self.random.choice([0.1, 0.5, 1.0])

    def cut(self) -> None:
        self.queue.cut()

    def go_down(self) -> None:
        self.store.go_down()

    def come_up(self) -> None:
        self.store.come_up()

    def crash(self) -> None:
        """The process crashes, and another one takes its place: only broker and store remember."""
        self.crashes += 1
        self.simulation.crash()
        self._before_restart()
        self.simulation.restart()

    def _before_restart(self) -> None:
        """Here only broker and store remember."""

    def move(self) -> None:
        moves = {
            self.publish: 3,
            self.deliver: 10,
            self.aggregate: 10,
            self.write: 10,
            self.acknowledge: 10,
            self.pass_time: 4,
            self.cut: 0.5,
            self.go_down: 0.5,
            self.come_up: 1,
            self.crash: 0.2,
            self.complete: 0.2,
        }
        self.random.choices(list(moves), list(moves.values()))[0]()

    # The drain.

    def drain(self) -> None:
        """As Bytewax does at the end of the input: each step to its end, before the next."""
        self.come_up()
        self.simulation.drain()
        while not self.steps.input_ended:
            self.deliver()
        for name in self.steps.shards:
            while self.steps.to_aggregate[name]:
                self.aggregate()
            self.steps.end_aggregate(name)
        for name in self.steps.shards:
            while self.steps.to_write[name]:
                self.write()
            self.steps.end_write(name)
        while any(self.steps.to_acknowledge.values()):
            self.acknowledge()
        if self.on_stop == "write":
            assert self.queue.unacknowledged == 0, "a message got stuck on its way"
        self.steps.close()
        for consumer in self.simulation.accounts.consumers.values():
            assert consumer.counts.waiting == 0

    # The invariants.

    def check(self) -> None:
        stored = Counter(self.numbers())
        acknowledged = self.queue.acknowledged
        numbers = {fields(body)["n"] for body in acknowledged}
        assert numbers <= set(stored), "acknowledged before it was stored"
        assert len(acknowledged) == len(set(acknowledged)), "acknowledged twice"
        parked = [rejected.message.body for rejected in self.queue.parked]
        assert all(b"poison" in body or b"no JSON" in body for body in parked)
        assert len(parked) == len(set(parked)), "parked twice"
        self.check_accounts()
        places = len(self.queue.waiting) + self.queue.unacknowledged + len(acknowledged)
        assert places + len(parked) == self.published, "a message is in no place, or in two"

    def check_accounts(self) -> None:
        """The counts add up at every moment; only messages between two steps may be missing."""
        accounts, steps = self.simulation.accounts, self.steps
        assert accounts.check(draining=True) == []
        for name in steps.consumers:
            consumer = self.simulation.source.consumer(name)
            if consumer.drained or not consumer._events:  # the step may still have to report a loss
                assert accounts.of_consumer(name).counts.waiting == consumer.awaiting_outcome
        assert accounts.groups.groups == sum(a.shard.open_groups for a in steps.aggregates.values())
        between = sum(in_leaving(values) for values in steps.to_write.values())
        waiting = itertools.chain(*steps.to_aggregate.values(), *steps.to_acknowledge.values())
        for value in waiting:
            if isinstance(value, Members):
                between += len(value)
            elif isinstance(value, Outcomes):
                between += in_outcomes(value)
        assert accounts.ring.difference == between

    def numbers(self) -> list[int]:
        """The numbers of stored messages, in any form; early summaries store none."""
        documents = [fields(document.source) for document in self.store.documents]
        if self.reduced:
            return [n for one in documents if not is_early(one) for n in one["numbers"]]
        return [document["n"] for document in documents]


def is_early(document: dict[str, Any]) -> bool:
    return document.get("completed_by") == "early"


@lru_cache(10_000)
def fields(document: bytes) -> Any:
    """Read after every move, and parsed once."""
    return json.loads(document)
