"""A world whose state outlives the process: a crash may come before, in or after a commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from connectors.memory.broker import MemoryQueue
from connectors.memory.stream import MemoryStream
from connectors.message import Properties
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RejectLimit
from flows.simulation.simulation import Simulation
from flows.spec import DeadLetterSpec, Pipeline
from flows.state.blocks import read_blocks
from flows.state.commit import Table
from flows.state.rows import GroupRow, decoded, decoded_group, decoded_members
from tests.kept_state import MemoryShard, MemoryState
from tests.simulation.world import SimulatedWorld, fields

REDUCE: dict[str, Any] = {"reduce": {"numbers": {"list": "n"}, "is": {"distinct": "is"}}}
EVENT_TIME = {"event_time": "at", "lateness": "1s", "ahead": "1s", "idle_after": "3s"}
KEEPING_MEMBERS: list[dict[str, Any]] = [
    {},
    {"order": "n"},
    {**REDUCE, "order": "n"},
    {"reduce": "tests.flows.own_functions:numbers"},
]


class KeptWorld(SimulatedWorld):
    """Groups by key of any kind, in any windows; each message has a name, or a distinct value."""

    poison = 0.02
    """The share of messages whose documents are refused."""
    reads_again = False
    """Messages may be delivered again after they were parked."""
    prefetches: tuple[int, ...] = (7, 20, 100)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.simulation.now = 1000.0
        self.begin()

    def few_shards(self) -> dict[str, Any]:
        """Mostly one shard, so that its groups have been through all steps before a crash."""
        return {"max_groups": self.random.choice([100, 100, 100, 1_000_000])}

    def begin(self) -> None:
        """Let all shards find their state: before, no message is consumed."""
        if self.random.random() < 0.9:
            self.steps.flow()

    def crash(self) -> None:
        super().crash()
        self.begin()

    def _simulation(self) -> Simulation:
        self.state = MemoryState(self.random.choice([0.2, 1.0]), at_once=False)
        return Simulation(self.spec, queues=self._queues(), state=self.state)

    def _queues(self) -> Mapping[str, MemoryQueue] | None:
        """The queues of the simulation; `None`: it makes one."""
        return None

    def _spec(self, name: str) -> Pipeline:
        chance, aggregate = self.random, self._aggregate()
        self.count, self.reduced, self.on_stop = 0, "reduce" in aggregate, aggregate["on_stop"]
        source = {"consumers": chance.randint(1, 3), "prefetch": chance.choice(self.prefetches)}
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": {"by": "key", **aggregate, **self.few_shards()},
                "sink": {"memory": {"name": name}},
                "state": {"path": "/in/memory"},
            }
        )

    def _aggregate(self) -> dict[str, Any]:
        """The keys of `aggregate` besides `by`."""
        chance = self.random
        tumbling: dict[str, Any] = {"every": "2s"}
        if chance.random() < 0.5:
            tumbling |= EVENT_TIME
        more = {**chance.choice([REDUCE, *KEEPING_MEMBERS])}
        more["on_stop"] = chance.choice(["keep", "park"])
        if chance.random() < 0.5:
            more["distinct"] = {"by": "n", "for": "1h"}
        windows: list[dict[str, Any]] = [
            {"count": chance.choice([1, 3, 10]), "time": chance.choice(["500ms", "2s"])},
            {"until": "group.sum('n') > 1000", "idle": "1s"},
            {"last": "message.n % 7 == 0", "first": "message.n % 11 == 0", "time": "1m"},
            {"tumbling": tumbling},
        ]
        window = chance.choice(windows)
        if "tumbling" not in window and chance.random() < 0.3:
            more["remember"] = 2
        if "tumbling" not in window and chance.random() < 0.3:
            more["incomplete"] = "park"
        return {"window": window, **more}

    def publish(self) -> None:
        for _ in range(self.random.randint(1, 20)):
            self.published += 1
            late = self.random.choice([0, 0, 0, 0, self.random.random() * 10])
            body = b'{"n":%d,"key":%d,"at":%f,"is":"%s"}' % (
                *(self.published, self.random.randint(1, 4), self.simulation.now - late),
                b"poison" if self.random.random() < self.poison else b"fine",
            )
            for name in self._names(self.published):
                self.queue.publish(body, properties=Properties(message_id=name))

    def _names(self, number: int) -> list[str | None]:
        """A message with a distinct value may be sent twice, and needs no id."""
        if self.spec.aggregate.distinct is None:
            return [f"{number}"]
        copies = range(self.random.choice([1, 1, 2, 3]))
        return [f"{number}.{copy}" if self.random.random() < 0.5 else None for copy in copies]

    def make_durable(self) -> None:
        """The disk has the commit of a shard."""
        self.state.shard(self.random.choice(self.steps.shards)).sync()

    def move(self) -> None:
        if self.random.random() < 0.2:
            self.make_durable()
        elif self.random.random() < 0.01:
            self.crash()
        else:
            super().move()

    def _before_restart(self) -> None:
        for shard in self.state.shards.values():
            shard.crash(durable=self.random.random() < 0.5)

    def flush(self) -> None:
        """The next process takes what is left, and completes all groups."""
        self.state.at_once = True
        self.simulation.restart()
        while self.queue.waiting or self.queue.unacknowledged:
            self.simulation.pass_to(self.simulation.now + 1)
        self.simulation.complete()
        self.simulation.pass_to(self.simulation.now + 1)

    def check(self) -> None:
        counted, parked = Counter(self.numbers()), self.parked_numbers()
        assert set(counted.values()) <= {1}, "counted twice"
        # A crash before the state forgets a summary dead-letters it again; copies may all be late.
        again = self.crashes or self.spec.aggregate.distinct or self.reads_again
        assert again or len(parked) == len(set(parked)), "parked twice"
        # A key may be forgotten between two copies, or before one that was parked is redelivered.
        both = self.spec.aggregate.remember or self.reads_again
        assert both or counted.keys().isdisjoint(parked), "counted, and parked too"
        late = {
            fields(one.message.body).get("n")
            for one in self.queue.parked
            if one.rejection.reason.startswith("late")
        }
        both = self.spec.aggregate.remember
        assert both or late.isdisjoint({*counted, *self.kept_numbers()}), "late, and counted too"
        self.check_members()
        gone = {fields(body)["n"] for body in self.queue.acknowledged}
        durable = counted.keys() | set(parked) | self.kept_numbers()
        assert gone <= durable, "acknowledged before it was durable"
        self.check_accounts()

    def parked_numbers(self) -> list[int]:
        """Numbers of parked messages, and of the members of parked summaries."""
        bodies = [fields(rejected.message.body) for rejected in self.queue.parked]
        return [n for body in bodies for n in body.get("numbers", [body.get("n")])]

    def check_members(self) -> None:
        """The disk has the members of each group that needs them, and no others.

        Those are groups that have left, that are open, or that late messages may amend.
        """
        for shard in self.state.shards.values():
            needed = {*_rows(shard, Table.GROUPS), *_rows(shard, Table.CLOSED_WINDOWS)}
            forgotten = {number for number, _ in shard.to_forget}
            for left in shard.tables[Table.LEFT].items():
                kept = decoded_group(left, "").kept
                assert kept is not None
                needed.add(kept.row)
                if left[0] not in forgotten:
                    rows = shard.members.get(kept.row, [])
                    there = len(decoded_members(rows, None)) if kept.row else 0
                    assert there >= kept.members, "a group that has left misses messages"
            assert shard.members.keys() <= needed, "messages of no group stay on the disk"

    def kept_numbers(self) -> set[int]:
        """The numbers that the durable state counts."""
        rules = self.simulation.job.rules
        kept: set[int] = set()
        for shard in self.state.shards.values():
            blocks = sorted(shard.tables[Table.GROUPS].items()) if not rules.hold else ()
            for _, content in (row for _, rows in read_blocks(blocks) for row in rows):
                reduced = GroupRow._make(content).reduced
                assert rules.tally is not None
                assert reduced is not None
                kept.update(rules.tally.results([decoded(reduced)])["numbers"])
            for row_of_left in shard.tables[Table.LEFT].items():
                summary = decoded_group(row_of_left, "").summary
                kept.update([] if summary is None else summary.values["numbers"])
            for rows in shard.members.values():
                kept.update(fields(one.document)["n"] for one in decoded_members(rows, None))
        return kept


def _rows(shard: MemoryShard, table: Table) -> set[int]:
    """Numbers of the rows that count."""
    blocks = sorted(shard.tables[table].items())
    return {number for _, rows in read_blocks(blocks) for number, _ in rows}


class StreamWorld(KeptWorld):
    """The same with a stream, which delivers many messages again; none has a name."""

    reads_again = True

    def _spec(self, name: str) -> Pipeline:
        spec = super()._spec(name)
        assert spec.source.memory is not None
        memory = spec.source.memory.model_copy(update={"consumers": 1})
        return spec.model_copy(update={"source": spec.source.model_copy(update={"memory": memory})})

    def _queues(self) -> Mapping[str, MemoryQueue]:
        [name] = self.spec.source.chosen.queue
        self.stream = MemoryStream()
        return {name: self.stream}

    def _names(self, number: int) -> list[str | None]:
        return [None for _ in super()._names(number)]

    def cut(self) -> None:
        self.stream.lag = self.random.randint(0, 30)
        super().cut()

    def crash(self) -> None:
        self.stream.lag = self.random.randint(0, 30)
        super().crash()


class RefusingWorld(KeptWorld):
    """The mapping refuses everything at times; then groups stay in the state."""

    poison = 0.0
    reads_again = True  # a dead letter that the state has not forgotten is written after a crash

    def _spec(self, name: str) -> Pipeline:
        parked = RabbitMQDeadLetter(
            routing_key="parked", reject_limit=RejectLimit(rejected=1, of=20)
        )
        return (
            super()._spec(name).model_copy(update={"dead_letter": DeadLetterSpec(rabbitmq=parked)})
        )

    def move(self) -> None:
        if self.random.random() < 0.02:
            self.store.accept()
            if self.random.random() < 0.9:
                self.store.refuse(b"", "no such field")
        super().move()

    def flush(self) -> None:
        self.store.accept()
        super().flush()


def finish(world: KeptWorld) -> None:
    """Let random things happen, and end: each message is in one document, or parked."""
    for _ in range(300):
        world.move()
        world.check()

    world.drain()

    world.check()
    world.flush()
    world.check()
    assert world.queue.unacknowledged == 0
    assert {*world.numbers(), *world.parked_numbers()} == {*range(1, world.published + 1)}
