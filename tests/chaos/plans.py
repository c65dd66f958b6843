"""Which run comes next; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from tests.chaos.run import RunPlan, RunResult
from tests.chaos.schedule import KINDS, rarest


class Goal(NamedTuple):
    """What all runs together must reach."""

    times: int
    """Of each kind of fault."""
    messages: int
    kinds: tuple[str, ...] = KINDS
    """Those that can happen to the jobs."""


def faults(done: Sequence[RunResult]) -> Counter[str]:
    """How often each kind of fault has happened."""
    return sum((result.faults for result in done), Counter[str]())


def published(done: Sequence[RunResult]) -> int:
    """The number of messages."""
    return sum(result.verdict.published for result in done)


def by_turns(
    first: RunPlan, jobs: Sequence[tuple[str, str]], skipped: int = 0
) -> Iterator[RunPlan]:
    """All shapes with all kinds of jobs, repeatedly; each run has a seed of its own."""
    for number in count(skipped):
        shape, aggregate = jobs[number % len(jobs)]
        yield first._replace(seed=first.seed + number, shape=shape, aggregate=aggregate)


def until(goal: Goal, plans: Iterator[RunPlan], done: Sequence[RunResult]) -> Iterator[RunPlan]:
    """Continue with plans until the goal is reached, without the faults that happened often enough.

    `done` has the results so far: it grows from one plan to the next.
    """
    for plan in plans:
        so_far = faults(done)
        often = all(so_far[kind] >= goal.times for kind in goal.kinds)
        if often and published(done) >= goal.messages:
            return
        yield plan._replace(kinds=rarest(so_far, goal.times, goal.kinds))
