"""Runs the steps of one process of a job, one at a time, each with a queue before it.

It takes the place of Bytewax, without concurrency: the caller chooses which step runs next. So a
test can repeat any order of steps that Bytewax allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from connectors.message import Lost, Outcomes
from flows.groups.departures import Leaving
from flows.job import Job
from flows.steps.routing import ForConsumer, ForShard, is_for_shard, key_by_consumer
from flows.steps.source import Event

T = TypeVar("T")

OnLeaving = Callable[[str, Sequence[Leaving]], None]
"""Called with the shard and the values that leave `aggregate` together; with an empty shard for
outcomes that leave `correlate`."""


class SimulatedSteps:
    """The steps of a process, from `source` to `acknowledge`."""

    def __init__(self, job: Job, leaving: OnLeaving = lambda _shard, _values: None) -> None:
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
        begins = job.begins()
        for shard, begin in begins.build("begin", 0, 1).next_batch() if begins else ():
            self.to_aggregate[shard].append(begin)
        self.to_write = {name: deque[Leaving]() for name in self.shards}
        self.to_acknowledge = {name: deque[ForConsumer]() for name in self.consumers}
        self._leaving = leaving
        self._ended: set[str] = set()
        """Consumers that have ended."""

    @property
    def input_ended(self) -> bool:
        """All consumers have drained."""
        return self._ended.issuperset(self.consumers)

    @property
    def waits(self) -> bool:
        """The sink has not answered everything yet."""
        return any(write.waits for write in self.writes.values())

    def deliver(self, consumer: str) -> bool:
        """Poll a consumer, and read its events; return whether it had any."""
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
        """Run `correlate` on events of a consumer."""
        for item in self.correlate(events):
            if is_for_shard(item):
                self.to_aggregate[item[0]].append(item[1])
                continue
            if isinstance(item[1], Outcomes):
                self._leaving("", [item[1]])
            self.to_acknowledge[item[0]].append(item[1])  # type: ignore[arg-type]

    def aggregate(self, shard: str, most: int | None = None) -> None:
        """Run a shard on at most so many values; `None`: on all that wait for it."""
        values = _take(self.to_aggregate[shard], most)
        if values:
            self._leave(shard, self.aggregates[shard].on_batch(values)[0])

    def complete_due(self, shard: str) -> None:
        """Complete the groups of a shard that are due."""
        self._leave(shard, self.aggregates[shard].on_notify()[0])

    def write(self, shard: str, most: int | None = None) -> None:
        """Run a shard's `write` on at most so many values, and on the answers of the sink."""
        values, write = _take(self.to_write[shard], most), self.writes[shard]
        outcomes = write.on_batch(values)[0] if values else []
        for one in (*outcomes, *write.on_notify()[0]):
            name, outcome = key_by_consumer((shard, one))
            self.to_acknowledge[name].append(outcome)

    def acknowledge(self, consumer: str, most: int | None = None) -> None:
        """Settle at most so many outcomes of a consumer."""
        self.acknowledges[consumer].write_batch(_take(self.to_acknowledge[consumer], most))

    def end_aggregate(self, shard: str) -> None:
        """End the input of a shard."""
        self._leave(shard, self.aggregates[shard].on_eof()[0])

    def end_write(self, shard: str) -> None:
        """End the input of a shard's `write`, after the sink has answered everything."""
        for one in self.writes[shard].on_eof()[0]:
            name, outcome = key_by_consumer((shard, one))
            self.to_acknowledge[name].append(outcome)

    def close(self) -> None:
        """Close the consumers."""
        for step in self.acknowledges.values():
            step.close()

    def flow(self) -> None:
        """Run the steps until their queues are empty."""
        while any(self.to_aggregate.values()) or any(self.to_write.values()):
            for shard in self.shards:
                if self.to_aggregate[shard]:
                    self.aggregate(shard)
                if self.to_write[shard]:
                    self.write(shard)
        for shard in self.shards:
            if self.writes[shard].is_watching:
                self.write(shard)
        for consumer in self.consumers:
            if self.to_acknowledge[consumer]:
                self.acknowledge(consumer)

    def _leave(self, shard: str, values: Sequence[Leaving]) -> None:
        if values:
            self._leaving(shard, values)
            self.to_write[shard].extend(values)


def _take(waiting: deque[T], most: int | None) -> list[T]:
    count = len(waiting) if most is None else min(most, len(waiting))
    return [waiting.popleft() for _ in range(count)]
