"""The real steps in a world that fails at random: nothing is lost, and nothing acknowledged early.

A world is made from a number, its seed: the same seed is the same world, move by move.
`HOPPER_SEED=7 pytest tests/test_simulation.py` lives through that one alone.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter, deque
from typing import Literal

import pytest

from connectors.memory import sink as memory_sink
from connectors.memory import source as memory_source
from connectors.memory.spec import MemorySink, MemorySource
from connectors.message import Group, Lost, Outcomes, Properties
from flows.aggregate import Shard
from flows.consumers import ForConsumer
from flows.correlate import Correlate
from flows.window_spec import Window
from flows.steps import Aggregate, ForShard, Write, concerns_a_shard, correlate

SEEDS = [int(os.environ["HOPPER_SEED"])] if "HOPPER_SEED" in os.environ else range(200)
_worlds = itertools.count()


class World:
    """A queue, its consumers, the steps with a queue before each, a store; and a clock."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        name = f"world-{next(_worlds)}"
        self.queue, self.store = memory_source.queue(name), memory_sink.store(name)
        self.store.refuse(b"poison", "it is poison")
        self.sink = memory_sink.Memory(MemorySink(name=name))
        source = memory_source.Memory(
            MemorySource(
                name=name,
                consumers=self.random.randint(1, 3),
                prefetch=self.random.choice([7, 20, 100]),
            ),
            workers=1,
        )
        self.consumers = {name: source.consumer(name) for name in source.consumers()}
        for consumer in self.consumers.values():
            consumer.start()
        self.correlate = correlate(
            Correlate("json", source.properties, self.sink.addressing), source.consumers()
        )
        self.count = self.random.choice([1, 3, 10])
        self.window = Window.model_validate(
            {
                "count": self.count,
                "bytes": self.random.choice([None, 40, 1000]),
                "time": self.random.choice(["500ms", "2s"]),
            }
        )
        self.on_stop: Literal["write", "requeue"] = self.random.choice(["write", "requeue"])
        self.aggregates = {name: self._aggregate() for name in self.consumers}
        self.writes = {name: Write(self.sink) for name in self.consumers}
        self.to_aggregate: dict[str, deque[ForShard]] = {n: deque() for n in self.consumers}
        self.to_write: dict[str, deque[Group | Lost]] = {n: deque() for n in self.consumers}
        self.to_acknowledge: dict[str, deque[ForConsumer]] = {n: deque() for n in self.consumers}
        self.published = 0

    def _aggregate(self) -> Aggregate:
        return Aggregate(Shard(self.window), self.on_stop, clock=lambda: self.now)

    # What can happen.

    def publish(self) -> None:
        for _ in range(self.random.randint(1, 30)):
            self.published += 1
            kind = self.random.random()
            text = b"poison" if kind < 0.05 else b"fine"
            body = b'{"n":%d,"is":"%s"}' % (self.published, text)
            if kind > 0.95:
                body = b"%d is no JSON object" % self.published
            self.queue.publish(body, properties=Properties(message_id=str(self.published)))

    def deliver(self) -> None:
        name = self.random.choice(list(self.consumers))
        for home, value in self.correlate([*self.consumers[name].take()]):
            if concerns_a_shard((home, value)):
                assert isinstance(value, (list, Lost))
                self.to_aggregate[home].append(value)
            else:
                assert not isinstance(value, (list, Lost))
                self.to_acknowledge[home].append(value)

    def aggregate(self) -> None:
        name = self.random.choice(list(self.consumers))
        values = take_some(self.to_aggregate[name], self.random)
        if values:
            self.to_write[name].extend(self.aggregates[name].on_batch(values)[0])
        self.to_write[name].extend(self.aggregates[name].on_notify()[0])

    def write(self) -> None:
        name = self.random.choice(list(self.consumers))
        values = take_some(self.to_write[name], self.random)
        outcomes = self.writes[name].on_batch(values)[0] if values else []
        outcomes += self.writes[name].on_notify()[0]
        self.home(outcomes)

    def home(self, outcomes: list[Outcomes]) -> None:
        for outcome in outcomes:
            self.to_acknowledge[outcome.origin.consumer].append(outcome)

    def acknowledge(self) -> None:
        name = self.random.choice(list(self.consumers))
        for value in take_some(self.to_acknowledge[name], self.random):
            if isinstance(value, Outcomes):
                self.consumers[name].settle(value)

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
        for name, consumer in self.consumers.items():
            consumer.lose()
            consumer.connect()
            self.aggregates[name], self.writes[name] = self._aggregate(), Write(self.sink)
            for waiting in (self.to_aggregate, self.to_write, self.to_acknowledge):
                waiting[name].clear()

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
        }
        self.random.choices(list(moves), list(moves.values()))[0]()

    # How it ends.

    def drain(self) -> None:
        """As Bytewax does at the end of the input: each step to its end, before the next."""
        self.come_up()
        for consumer in self.consumers.values():
            consumer.drain()
        for name in self.consumers:
            while not self.consumers[name].drained:
                self.deliver()
            while self.to_aggregate[name]:
                self.aggregate()
            self.to_write[name].extend(self.aggregates[name].on_eof()[0])
            while self.to_write[name]:
                self.write()
            self.home(self.writes[name].on_eof()[0])
            while self.to_acknowledge[name]:
                self.acknowledge()
        if self.on_stop == "write":
            assert self.queue.unacknowledged == 0, "a message got stuck on its way"
        for consumer in self.consumers.values():
            consumer.close()

    # What must be true, always.

    def check(self) -> None:
        stored = {document.source for document in self.store.documents}
        acknowledged = self.queue.acknowledged
        assert set(acknowledged) <= stored, "acknowledged before it was stored"
        assert len(acknowledged) == len(set(acknowledged)), "acknowledged twice"
        parked = [rejected.message.body for rejected in self.queue.parked]
        assert all(b"poison" in body or b"no JSON" in body for body in parked)
        assert len(parked) == len(set(parked)), "parked twice"
        places = len(self.queue.waiting) + self.queue.unacknowledged + len(acknowledged)
        assert places + len(parked) == self.published, "a message is in no place, or in two"


def take_some(waiting: deque, chance: random.Random) -> list:  # type: ignore[type-arg]
    return [waiting.popleft() for _ in range(chance.randint(0, len(waiting)))]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_has_exactly_one_place(seed: int) -> None:
    """At every moment; and after a drain nothing is held, and all that left is stored or parked."""
    world = World(seed)
    for _ in range(200):
        world.move()
        world.check()

    world.drain()

    world.check()
    assert world.queue.unacknowledged == 0
    if world.on_stop == "write":
        stored = Counter(document.id for document in world.store.documents)
        assert all(times == 1 for times in stored.values()), "stored twice"
    assert set(world.store.windows) <= set(range(1, world.count + 1))
