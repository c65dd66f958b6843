"""The cost of open groups: their memory, and the time of an activation while they are open.

Each number of groups has a process of its own: memory that was used before would hide the result.
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
    """The cost of many open groups of one message."""

    bytes_each: float
    """Member, message, body, key and group: all that stays in memory."""
    activation: float
    """µs of CPU to add a message to an open group, to complete due groups, and to find when the
    next one is due."""


def measure(aggregate: str, groups: int, *, ids: bool = False) -> Open:
    """Open so many groups in a new process, and measure them."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_measure, aggregate, groups, ids).result()


def _measure(aggregate: str, groups: int, ids: bool) -> Open:
    gc.set_threshold(CYCLES_AFTER)
    steps, first = BenchSteps(aggregate), Members()
    shard, before = Shard(steps.job.rules), resident()
    for arrived in arrivals(groups, groups, ids=ids):
        members = steps.job.readers[arrived.origin.consumer].read(arrived, now=1.0).members
        first = first or members
        shard.add(members, now=1.0)
    assert shard.open_groups == groups
    each = (resident() - before) / groups
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


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()
