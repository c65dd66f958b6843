"""Plays timed steps on a pipeline, and reports what the pipeline did.

`hopper try` and `hopper test` use it, so both show the same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from connectors.memory.request import InjectedAnswer
from connectors.message import Properties
from flows.simulation.report import Report, report
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline

LONGEST = 24 * 3600.0
"""Seconds after the last step after which a play without an end of its own ends."""
MAX_ROUNDS = 100_000
"""Moments after the last step at which something is due, in a play without an end of its own."""
ENDED_AFTER = 0.1
"""Seconds between two checks whether a draining process has ended."""


class MessageArrives(NamedTuple):
    """A message for the queue."""

    body: bytes
    properties: Properties = Properties()
    redelivered: bool = False
    queue: str | None = None
    """`None`: the first queue of the source."""

    def __call__(self, simulation: Simulation) -> None:
        """Publish it."""
        queues = simulation.queues
        queue = next(iter(queues.values())) if self.queue is None else queues[self.queue]
        queue.publish(self.body, properties=self.properties, redelivered=self.redelivered)


Fault = Callable[[Simulation], None]


class TimedStep(NamedTuple):
    """What happens at a moment; consecutive messages of one moment arrive together."""

    at: float
    """Seconds after the beginning."""
    what: MessageArrives | Fault


def play(
    spec: Pipeline, steps: Iterable[TimedStep], start: float, until: float | None = None
) -> Report:
    """Play the steps, in order.

    `start`: seconds since 1970; `until`: seconds after the beginning, `None`: the play ends when
    all messages are settled, or nothing is due any more, or `LONGEST` after the last step.
    """
    simulation = Simulation(spec, now=start)
    for at, what in steps:
        if start + at > simulation.now or not isinstance(what, MessageArrives):
            simulation.pass_to(start + at)
        what(simulation)
    simulation.run()
    if until is not None:
        simulation.pass_to(start + until)
    else:
        _finish(simulation)
    return report(simulation, start)


def _finish(simulation: Simulation) -> None:
    latest = simulation.now + LONGEST
    for _ in range(MAX_ROUNDS):
        due = simulation.next_due()
        if due > latest or not any(queue.unsettled for queue in simulation.queues.values()):
            break
        simulation.pass_to(due)


# Faults.


def answer(status: int, item: int | None, times: int) -> Fault:
    """Elasticsearch gives this answer to the next requests (see `InjectedAnswer`)."""
    injected = InjectedAnswer(status, item, times)
    return lambda simulation: simulation.store.answer(injected)


def down(seconds: float) -> Fault:
    """Elasticsearch answers nothing for so long."""
    return lambda simulation: simulation.go_down(seconds)


def lose_connection(simulation: Simulation) -> None:
    """The connections of all consumers break, and the consumers reconnect at once."""
    if not simulation.ended:
        simulation.cut()


def complete(simulation: Simulation) -> None:
    """All open groups are completed."""
    simulation.complete()


def crash(seconds: float) -> Fault:
    """The process ends at once; another one starts after so many seconds."""

    def happen(simulation: Simulation) -> None:
        if not simulation.ended:
            simulation.crash()
        _start_after(simulation, seconds)

    return happen


def stop(seconds: float) -> Fault:
    """The process drains; another one starts after so many seconds, but not before it has ended."""

    def happen(simulation: Simulation) -> None:
        if not simulation.ended:
            simulation.drain()
            simulation.run()
        _start_after(simulation, seconds)

    return happen


def _start_after(simulation: Simulation, seconds: float) -> None:
    def start() -> None:
        if simulation.ended:
            simulation.restart()
        else:
            simulation.at(simulation.now + ENDED_AFTER, start)

    if seconds or not simulation.ended:
        simulation.at(simulation.now + seconds, start)
    else:
        simulation.restart()
