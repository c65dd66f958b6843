"""What open groups cost: their memory, and what an activation takes while so many are open.

Each number of groups has a process of its own: memory that was used before hides what is used now.
"""

from __future__ import annotations

import gc
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from resource import getpagesize
from statistics import median
from typing import NamedTuple

from bench.steps import BenchSteps, arrivals
from flows.groups.shard import Shard
from flows.process.start import CYCLES_AFTER
from flows.values.columnar import Members

ACTIVATIONS = 2000


class Open(NamedTuple):
    """What so many open groups of one message cost."""

    bytes_each: float
    """Member, message, body, key and group: everything that stays."""
    activation: float
    """µs of CPU: one message for a group that is open, a look for what is due, and when the next
    look is due."""


def measure(aggregate: str, groups: int, *, ids: bool = False) -> Open:
    """Open so many groups, in a process of their own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_measure, aggregate, groups, ids).result()


def _measure(aggregate: str, groups: int, ids: bool) -> Open:
    gc.set_threshold(CYCLES_AFTER)
    steps, first = BenchSteps(aggregate), Members()
    shard, before = Shard(steps.job.rules), _resident()
    for arrived in arrivals(groups, groups, ids=ids):
        members = steps.job.reader.read(arrived, now=1.0).members
        first = first or members
        shard.add(members, now=1.0)
    assert shard.open_groups == groups
    each = (_resident() - before) / groups
    return Open(each, _activation(shard, first))


def _activation(shard: Shard, members: Members) -> float:
    clock, spent = time.process_time_ns, []
    for number in range(ACTIVATIONS):
        one = Members([members[number % len(members)]])
        began = clock()
        shard.add(one, 2.0)
        shard.complete_due(2.0)
        assert shard.due_at
        spent.append(clock() - began)
    return median(spent) / 1000


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()
