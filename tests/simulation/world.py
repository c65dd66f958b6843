"""The real steps in a world that fails at random: nothing is lost, and nothing acknowledged early.

A world is made from a number, its seed: the same seed is the same world, move by move.
`HOPPER_SEED=7 pytest tests/simulation/test_messages.py` lives through that one alone.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections import Counter, defaultdict, deque
from functools import lru_cache
from typing import Any

from connectors.memory import sink as memory_sink
from connectors.memory import source as memory_source
from connectors.message import Lost, Outcomes, Properties
from flows.audit.counters import in_leaving, in_outcomes
from flows.groups.departures import ShardOutput
from flows.job import Job
from flows.process.stop import Stop
from flows.spec import Pipeline
from flows.steps.routing import ForConsumer, ForShard, is_for_shard
from flows.values.columnar import Members

SEEDS = range(200 if "CI" in os.environ else 40)
if "HOPPER_SEED" in os.environ:
    SEEDS = range(int(os.environ["HOPPER_SEED"]), int(os.environ["HOPPER_SEED"]) + 1)
_worlds = itertools.count()
REDUCED = {"reduce": {"numbers": {"list": "n"}}, "by": "key"}


class SimulatedWorld:
    """A queue, its consumers, the steps with a queue before each, a store; and a clock."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.crashes = 0
        self.spec = self._spec(f"world-{next(_worlds)}")
        name = self.spec.name
        self.queue, self.store = memory_source.queue(name), memory_sink.store(name)
        self.store.refuse(b"poison", "it is poison")
        assert self.spec.sink.memory
        assert self.spec.source.memory
        self.sink = memory_sink.MemoryStoreSink(self.spec.sink.memory)
        source = memory_source.MemoryQueueSource(self.spec.source.memory, workers=1)
        self.consumers = {name: source.consumer(name) for name in source.consumers()}
        self.source = source
        self._begin()
        self.shards = list(self.job.router.shards)
        self.published = 0

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

    def _begin(self) -> None:
        """What a process has in its memory when it starts."""
        self.stop = Stop(3600, lambda: 0)
        self.job = job = Job(self.spec, self.source, self.sink, self.stop, clock=lambda: self.now)
        self.accounts = job.accounts
        deliveries, acknowledge = job.deliveries(), job.acknowledge()
        self.deliveries = {name: deliveries.build_part("", name, None) for name in self.consumers}
        self.homes = {name: acknowledge.build_part("", name, None) for name in self.consumers}
        self.correlate = job.correlate()
        self.aggregates = {name: job.aggregate() for name in job.router.shards}
        self.writes = {name: job.write() for name in job.router.shards}
        self.to_aggregate: dict[str, deque[ForShard | Lost]] = defaultdict(deque)
        self.to_write: dict[str, deque[ShardOutput | Lost]] = defaultdict(deque)
        self.to_acknowledge: dict[str, deque[ForConsumer]] = defaultdict(deque)

    # What can happen.

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
        name = self.random.choice(list(self.consumers))
        if self.consumers[name].drained:
            return
        for item in self.correlate(self.deliveries[name].next_batch()):
            if is_for_shard(item):
                self.to_aggregate[item[0]].append(item[1])
            else:
                self.to_acknowledge[item[0]].append(item[1])  # type: ignore[arg-type]

    def complete(self) -> None:
        self.stop.complete()

    def aggregate(self) -> None:
        name = self.random.choice(self.shards)
        values = take_some(self.to_aggregate[name], self.random)
        if values:
            self.to_write[name].extend(self.aggregates[name].on_batch(values)[0])
        self.to_write[name].extend(self.aggregates[name].on_notify()[0])

    def write(self) -> None:
        name = self.random.choice(self.shards)
        values = take_some(self.to_write[name], self.random)
        outcomes = self.writes[name].on_batch(values)[0] if values else []
        outcomes += self.writes[name].on_notify()[0]
        self.acknowledge_outcomes(outcomes)

    def acknowledge_outcomes(self, outcomes: list[Outcomes]) -> None:
        for outcome in outcomes:
            self.to_acknowledge[outcome.origin.consumer].append(outcome)

    def acknowledge(self) -> None:
        name = self.random.choice(list(self.consumers))
        self.homes[name].write_batch(take_some(self.to_acknowledge[name], self.random))

    def pass_time(self) -> None:
        self.now += self.random.choice([0.1, 0.5, 1.0])

    def cut(self) -> None:
        self.queue.cut()

    def go_down(self) -> None:
        self.store.go_down()

    def come_up(self) -> None:
        self.store.come_up()

    def crash(self) -> None:
        """The process dies, and another one takes its place: only broker and store remember."""
        self.crashes += 1
        for consumer in self.consumers.values():
            consumer.close()
            consumer.take()  # what it had to tell is gone with the process
        self._begin()

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

    # How it ends.

    def drain(self) -> None:
        """As Bytewax does at the end of the input: each step to its end, before the next."""
        self.come_up()
        for consumer in self.consumers.values():
            consumer.drain()
        while not all(consumer.drained for consumer in self.consumers.values()):
            self.deliver()
        for name in self.shards:
            while self.to_aggregate[name]:
                self.aggregate()
            self.to_write[name].extend(self.aggregates[name].on_eof()[0])
        for name in self.shards:
            while self.to_write[name]:
                self.write()
            self.acknowledge_outcomes(self.writes[name].on_eof()[0])
        while any(self.to_acknowledge.values()):
            self.acknowledge()
        if self.on_stop == "write":
            assert self.queue.unacknowledged == 0, "a message got stuck on its way"
        for name in self.consumers:
            self.homes[name].close()
            assert self.accounts.of_consumer(name).counts.waiting == 0

    # What must be true, always.

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
        """They add up at every moment; what they miss is between two steps, and nowhere else."""
        accounts = self.accounts
        assert accounts.check(draining=True) == []
        for name, consumer in self.consumers.items():
            if consumer.drained or not consumer._events:  # it may have to tell of a loss
                assert accounts.of_consumer(name).counts.waiting == consumer.awaiting_outcome
        assert accounts.groups.groups == sum(a._shard.open_groups for a in self.aggregates.values())
        between = sum(in_leaving(values) for values in self.to_write.values())
        for value in itertools.chain(*self.to_aggregate.values(), *self.to_acknowledge.values()):
            if isinstance(value, Members):
                between += len(value)
            elif isinstance(value, Outcomes):
                between += in_outcomes(value)
        assert accounts.ring.difference == between

    def numbers(self) -> list[int]:
        """Of the messages that are stored, in any form."""
        documents = [fields(document.source) for document in self.store.documents]
        if self.reduced:
            return [number for document in documents for number in document["numbers"]]
        return [document["n"] for document in documents]


@lru_cache(10_000)
def fields(document: bytes) -> Any:
    """Looked at after every move, and read once."""
    return json.loads(document)


def take_some(waiting: deque, chance: random.Random) -> list:  # type: ignore[type-arg]
    return [waiting.popleft() for _ in range(chance.randint(0, len(waiting)))]
