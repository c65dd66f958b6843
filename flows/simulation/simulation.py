"""Simulates a pipeline on a queue and a store in memory, by a clock that the caller moves.

It runs the job's own steps, without Bytewax, threads or waiting, so a day takes milliseconds, and a
fault happens exactly when it is scheduled. A simulation has no latency, no concurrent processes
and no network.

Rule 1: everything that can happen at a moment happens before the clock moves on.
Rule 2: time passes from one timer to the next: of a group, of a retry, of a scheduled action, of a
        drain.
Rule 3: a process that has ended does nothing until `restart`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

from connectors.memory.broker import MemoryQueue
from connectors.memory.delivery import Settled
from connectors.memory.request import BulkRequest
from connectors.memory.store import MemoryStore, Stored
from connectors.message import Lost
from flows.audit.reconcile import Accounts
from flows.groups.departures import Leaving, ShardOutput
from flows.job import Job
from flows.simulation.in_memory import memory_sink, memory_source, on_memory
from flows.simulation.steps import SimulatedSteps
from flows.spec import Pipeline
from flows.state.commit import State
from flows.values.begin import Begun
from flows.values.group import Group
from flows.values.stop import Stop

MAX_TIMERS = 1000
"""The largest number of rounds at one moment; more mean a timer that is always due."""


class Left(NamedTuple):
    """A value that has left a shard: a group, a duplicate, or outcomes."""

    shard: str
    """Empty: these are outcomes of messages that `correlate` sent to no shard."""
    value: ShardOutput
    numbers: Sequence[int]
    """The messages of a group (see `connectors.memory.delivery.Delivery`)."""


class Event(NamedTuple):
    """One thing that has happened, with its time."""

    at: float
    what: Left | BulkRequest | Stored | Settled


class Simulation:
    """A job that runs step by step, and the record of its events."""

    def __init__(
        self,
        spec: Pipeline,
        now: float = 0.0,
        queues: Mapping[str, MemoryQueue] | None = None,
        store: MemoryStore | None = None,
        state: State | None = None,
        make_job: Callable[..., Job] = Job,
    ) -> None:
        """`now`: in seconds since 1970; `queues` and `store` may belong to another simulation.

        `state`: keeps open groups over a `restart`. `make_job`: makes the job of each process, with
        the arguments of `Job`.
        """
        self._state, self._make_job = state, make_job
        self.spec, self.now = on_memory(spec), now
        numbers = count(1)
        names = self.spec.source.chosen.queue
        self.queues = queues or {name: MemoryQueue(numbers) for name in names}
        """By their names."""
        self.store = store or MemoryStore()
        self.sink = memory_sink(spec, self.store)
        self.events: list[Event] = []
        """Everything that has happened so far, in order."""
        self._requested, self._written = len(self.store.requests), len(self.store.written)
        self._settled = {name: len(queue.settled) for name, queue in self.queues.items()}
        self._scheduled: list[tuple[float, int, Callable[[], None]]] = []
        self._schedules = 0
        self.restart()

    @property
    def queue(self) -> MemoryQueue:
        """The queue of a pipeline that has one."""
        [queue] = self.queues.values()
        return queue

    def restart(self) -> None:
        """Start a new process: only the broker and the store keep their state."""
        self.source = memory_source(self.spec, self.queues)
        self.stop, self.accounts = Stop(), Accounts()
        self.job = self._make_job(
            *(self.spec, self.source, self.sink, self.stop, self.accounts),
            lambda: self.now,
            state=self._state,
        )
        self.steps = SimulatedSteps(self.job, self._left)
        self.ended = False
        """No process runs."""
        self._drains_until = inf
        self._input_ended = False
        self._completions = 0

    # Actions that can be scheduled.

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Run the action when the clock reaches this moment."""
        self._schedules += 1
        heappush(self._scheduled, (moment, self._schedules, action))

    def complete(self) -> None:
        """SIGUSR1: complete all groups of the process."""
        self.stop.complete()

    def drain(self, reason: str = "SIGTERM") -> None:
        """Drain the job; after `drain_timeout` the process ends as by `crash`."""
        self.stop.request(reason)
        self._drains_until = self.now + self.spec.drain_timeout

    def cut(self, *consumers: str) -> None:
        """Break the connections of these consumers, or of all; they reconnect at once."""
        for name in consumers or self.source.consumers():
            consumer = self.source.consumer(name)
            consumer.lose()
            consumer.connect()

    def crash(self) -> None:
        """End the process at once; the broker requeues its messages."""
        self.ended = True
        for name in self.source.consumers():
            self.source.consumer(name).close()

    def go_down(self, seconds: float) -> None:
        """Make the store silent for so many seconds."""
        self.store.go_down()
        self.at(self.now + seconds, self.store.come_up)

    # Running.

    def run(self) -> None:
        """Run the steps until nothing more can happen at this moment. Rule 1."""
        self._flow()  # with state, consumers start when all shards have begun
        for _ in range(MAX_TIMERS):
            if self.ended:
                break
            moved = [self.deliver(name) for name in self.steps.consumers]
            if self.steps.input_ended:
                self._end()
                break
            if not any(moved) and not self._complete_due():
                break
        else:
            raise AssertionError(f"timers are due for ever at {self.now}")
        self._note()

    def pass_to(self, moment: float) -> None:
        """Move the clock from timer to timer, up to `moment`. Rule 2."""
        self.run()
        while (due := self.next_due()) <= moment:
            self.now = max(self.now, due)
            self._on_time()
            self.run()
        self.now = max(self.now, moment)
        self.store.advance(self.now)
        self.run()

    def _on_time(self) -> None:
        self.store.advance(self.now)
        while self._scheduled and self._scheduled[0][0] <= self.now:
            heappop(self._scheduled)[2]()
        if self.now >= self._drains_until and not self.ended:
            self.crash()

    def next_due(self) -> float:
        """Return when the next timer is due; infinity: none is set."""
        due = [self.store.due_at, self._scheduled[0][0] if self._scheduled else None]
        if not self.ended:
            due += [self._drains_until]
            due += [step.due_at for step in self.steps.aggregates.values()]
        return min((at for at in due if at is not None), default=inf)

    def deliver(self, consumer: str) -> bool:
        """Poll a consumer, and run the steps; return whether it had events."""
        moved = self.steps.deliver(consumer)
        self._flow()
        return moved

    def _complete_due(self) -> bool:
        """Complete the groups that are due; return whether any shard had some."""
        forced, self._completions = (
            self._completions != self.stop.completions,
            self.stop.completions,
        )
        due = sorted(
            (step.due_at or -inf, name)
            for name, step in self.steps.aggregates.items()
            if forced or (step.due_at is not None and step.due_at <= self.now)
        )
        for _, name in due:
            self.steps.complete_due(name)
            self._flow()
        return bool(due)

    def _end(self) -> None:
        """Pass the end of the input from step to step; `write` waits for the sink's answers."""
        if not self._input_ended:
            self._input_ended = True
            for shard in self.steps.shards:
                self.steps.end_aggregate(shard)
            self._flow()
        if self.steps.waits:
            return
        for shard in self.steps.shards:
            self.steps.end_write(shard)
        self._flow()
        self.steps.close()
        self.ended = True

    def _flow(self) -> None:
        self.steps.flow()
        self._note()

    def _left(self, shard: str, values: Sequence[Leaving]) -> None:
        self.events += [
            Event(self.now, Left(shard, value, self._numbers(value)))
            for value in values
            if not isinstance(value, Lost | Begun)
        ]

    def _numbers(self, value: ShardOutput) -> list[int]:
        if not isinstance(value, Group):
            return []
        tags = [(one.origin.consumer, one.message.tag) for one in value.members]
        if value.summary is not None:
            whole, parts = value.summary.tags.items(), value.summary.parts.items()
            tags += [(origin.consumer, tag) for origin, several in whole for tag in several]
            tags += [(origin.consumer, part.tag) for origin, several in parts for part in several]
        return sorted({self.source.consumer(name).number(tag) for name, tag in tags} - {0})

    def _note(self) -> None:
        """Record what was stored and settled since the last call."""
        requests, written = self.store.requests, self.store.written
        self.events += [Event(self.now, one) for one in requests[self._requested :]]
        self._requested = len(requests)
        self.events += [Event(self.now, one) for one in written[self._written :]]
        self._written = len(written)
        for name, queue in self.queues.items():
            self.events += [Event(self.now, one) for one in queue.settled[self._settled[name] :]]
            self._settled[name] = len(queue.settled)
