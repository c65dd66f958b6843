"""The steps of one process of a job, each with a queue before it: one move at a time.

It does what Bytewax does, and nothing at the same time: the caller chooses the next move. So any
order of moves that Bytewax allows can be played, as often as one likes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from connectors.message import Lost, Outcomes
from flows.groups.departures import ShardOutput
from flows.job import Job
from flows.steps.routing import ForConsumer, ForShard, is_for_shard, key_by_consumer
from flows.steps.source import Event

T = TypeVar("T")

Leaving = Callable[[str, Sequence[ShardOutput | Lost]], None]
"""Is told what leaves `aggregate` together, and of which shard; of `correlate`: of none."""


class SimulatedSteps:
    """The steps of a process, from `source` to `acknowledge`."""

    def __init__(self, job: Job, leaving: Leaving = lambda _shard, _values: None) -> None:
        deliveries, acknowledge = job.deliveries(), job.acknowledge()
        self.consumers = job.source.consumers()
        self.shards = list(job.router.shards)
        self.sources = {
            name: deliveries.build_part("source", name, None) for name in self.consumers
        }
        self.correlate = job.correlate()
        self.aggregates = {name: job.aggregate() for name in self.shards}
        self.writes = {name: job.write() for name in self.shards}
        self.acknowledges = {
            name: acknowledge.build_part("acknowledge", name, None) for name in self.consumers
        }
        self.to_aggregate = {name: deque[ForShard | Lost]() for name in self.shards}
        self.to_write = {name: deque[ShardOutput | Lost]() for name in self.shards}
        self.to_acknowledge = {name: deque[ForConsumer]() for name in self.consumers}
        self._leaving = leaving
        self._ended: set[str] = set()
        """Consumers that hand over nothing any more."""

    @property
    def input_ended(self) -> bool:
        """All consumers have drained."""
        return self._ended.issuperset(self.consumers)

    @property
    def waits(self) -> bool:
        """The sink has not answered everything yet."""
        return any(write.waits for write in self.writes.values())

    def deliver(self, consumer: str) -> bool:
        """Take what a consumer has, and read it; return whether there was anything."""
        if consumer in self._ended:
            return False
        try:
            events = self.sources[consumer].next_batch()
        except StopIteration:
            self._ended.add(consumer)
            return False
        self.read(events)
        return bool(events)

    def read(self, events: list[Event]) -> None:
        """Read what a consumer has handed over."""
        for item in self.correlate(events):
            if is_for_shard(item):
                self.to_aggregate[item[0]].append(item[1])
                continue
            if isinstance(item[1], Outcomes):
                self._leaving("", [item[1]])
            self.to_acknowledge[item[0]].append(item[1])  # type: ignore[arg-type]

    def aggregate(self, shard: str, most: int | None = None) -> None:
        """Let a shard take so many values; `None`: all that wait for it."""
        values = _take(self.to_aggregate[shard], most)
        if values:
            self._leave(shard, self.aggregates[shard].on_batch(values)[0])

    def complete_due(self, shard: str) -> None:
        """Let a shard look what is due."""
        self._leave(shard, self.aggregates[shard].on_notify()[0])

    def write(self, shard: str, most: int | None = None) -> None:
        """Let a shard's `write` take so many values, and what the sink has answered."""
        values, write = _take(self.to_write[shard], most), self.writes[shard]
        outcomes = write.on_batch(values)[0] if values else []
        for one in (*outcomes, *write.on_notify()[0]):
            name, outcome = key_by_consumer((shard, one))
            self.to_acknowledge[name].append(outcome)

    def acknowledge(self, consumer: str, most: int | None = None) -> None:
        """Let a consumer settle so many outcomes."""
        self.acknowledges[consumer].write_batch(_take(self.to_acknowledge[consumer], most))

    def end_aggregate(self, shard: str) -> None:
        """Nothing comes to a shard any more."""
        self._leave(shard, self.aggregates[shard].on_eof()[0])

    def end_write(self, shard: str) -> None:
        """Nothing comes to a shard's `write` any more; the sink has answered everything."""
        for one in self.writes[shard].on_eof()[0]:
            self.to_acknowledge[one.origin.consumer].append(one)

    def close(self) -> None:
        """Everything has come to its end."""
        for step in self.acknowledges.values():
            step.close()

    def flow(self) -> None:
        """Let all that waits before a step go on, as far as it can."""
        while any(self.to_aggregate.values()) or any(self.to_write.values()):
            for shard in self.shards:
                if self.to_aggregate[shard]:
                    self.aggregate(shard)
                if self.to_write[shard]:
                    self.write(shard)
        for shard in self.shards:
            if self.writes[shard].waits:
                self.write(shard)
        for consumer in self.consumers:
            if self.to_acknowledge[consumer]:
                self.acknowledge(consumer)

    def _leave(self, shard: str, values: Sequence[ShardOutput | Lost]) -> None:
        if values:
            self._leaving(shard, values)
            self.to_write[shard].extend(values)


def _take(waiting: deque[T], most: int | None) -> list[T]:
    count = len(waiting) if most is None else min(most, len(waiting))
    return [waiting.popleft() for _ in range(count)]
