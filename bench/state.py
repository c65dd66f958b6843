"""The cost of `state`: what commits, a restart and the folder take, with few and with many groups.

Each measurement has a process of its own: memory that was used before would hide the result.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

from bench.aggregate import BY, MANY, REDUCE
from bench.open_groups import resident
from bench.steps import BenchSteps, arrivals
from flows.groups.kept_group import KeptGroup
from flows.groups.kept_shard import KeptShard
from flows.process.start import CYCLES_AFTER
from flows.state.commit import Recovered
from flows.state.database import create
from flows.state.journal import MOST
from flows.state.rows import encoded
from flows.state.sqlite import SQLiteStore

AGGREGATE = f"{{{BY}, window: {{time: 20m}}, {REDUCE}}}"
FEW = 1000
CHANGES = 200_000
"""Messages of random groups, whose commits are measured."""
SHARES, SECONDS, TICK = 8, 5, 0.005
"""Shards of a worker, the seconds for which each gets `FEW` messages a second, and the seconds
between two activations of the dataflow."""

Measured = TypeVar("Measured")


class CommitCost(NamedTuple):
    """What commits of so many groups take."""

    microseconds: float
    """CPU for each message: encoding, SQLite, and waiting for the disk."""
    stop_milliseconds: float
    """The longest that a commit stops the dataflow."""
    folder_of_open: float
    """Bytes of the folder ÷ bytes of the open groups as they are stored."""
    restart_seconds: float
    """From the file to open groups."""
    bytes_each: float
    """Memory of a group after the restart."""


def report() -> Iterator[str]:
    """Measure, and report in Markdown."""
    costs = {groups: measure(groups) for groups in (FEW, MANY)}
    yield (
        "| open groups of a shard | µs CPU a message, in commits | longest stop, ms "
        "| folder ÷ open | restart, s | bytes of memory a group |"
    )
    yield "|--:|--:|--:|--:|--:|--:|"
    for groups, cost in costs.items():
        yield (
            f"| {groups:,} | {cost.microseconds:.1f} | {cost.stop_milliseconds:.1f} "
            f"| {cost.folder_of_open:.2f} | {cost.restart_seconds:.2f} | {cost.bytes_each:.0f} |"
        )
    yield ""
    yield f"Longest stop of {SHARES} shards of a worker, each with {FEW:,} messages a second:"
    together, in_turn = (_in_new_process(_stops, turns) for turns in ([0] * SHARES, range(SHARES)))
    yield f"{together:.1f} ms if all commit together, {in_turn:.1f} ms in their turns."
    yield ""
    few, many = costs[FEW], costs[MANY]
    yield "| Goal | Result | Reached |"
    yield "|---|--:|---|"
    for text, most, value in (
        (f"{FEW:,} groups: at most 4 µs a message in commits", 4, few.microseconds),
        (f"{MANY:,} groups: at most 8 µs a message in commits", 8, many.microseconds),
        ("longest stop: at most 20 ms", 20, max(one.stop_milliseconds for one in costs.values())),
        (f"longest stop of {SHARES} shards: at most 20 ms", 20, in_turn),
        ("folder: at most twice what is open", 2, many.folder_of_open),
        ("restart: at most 15 s", 15, many.restart_seconds),
        ("memory: at most 1024 bytes a group", 1024, many.bytes_each),
    ):
        yield f"| {text} | {value:.2f} | {'yes' if value <= most else 'no'} |"
    yield ""


def measure(groups: int) -> CommitCost:
    """Measure commits in one process, and the restart in the next one."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "shard.sqlite")
        create(file)
        committed = _in_new_process(_commits, file, groups)
        restarted = _in_new_process(_restart, file, groups)
    return CommitCost(*committed, *restarted)


def _in_new_process(part: Callable[..., Measured], *values: object) -> Measured:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(part, *values).result()


def _shard(steps: BenchSteps) -> KeptShard:
    return KeptShard(steps.job.rules, 1.0, "bench", alone=attrgetter("message"))  # all are whole


def _commits(file: Path, groups: int) -> tuple[float, float, float]:
    gc.set_threshold(CYCLES_AFTER)
    steps, store = BenchSteps(AGGREGATE), SQLiteStore(file, 1.0)
    shard = _shard(steps)
    shard.recover(store.recover(), 1.0)
    _take_in(steps, shard, store, groups, groups)
    _take_in(steps, shard, store, groups + MOST, groups)  # then old blocks are written again
    cpu, longest = _take_in(steps, shard, store, CHANGES, groups)
    store.close()
    kept = [one.content() for one in shard.oldest(groups) if isinstance(one, KeptGroup)]
    stored = len(encoded([*zip(*kept, strict=True)]))
    folder = sum(each.stat().st_size for each in file.parent.iterdir())
    return 1e6 * cpu / CHANGES, 1e3 * longest, folder / stored


def _take_in(
    steps: BenchSteps, shard: KeptShard, store: SQLiteStore, count: int, groups: int
) -> tuple[float, float]:
    """Let the shard count messages; return the CPU of the commits, and the longest stop."""
    clock, cpu, longest, taken = time.process_time, 0.0, 0.0, 0
    for arrived in arrivals(count, groups, ids=True):
        members = steps.job.readers[arrived.origin.consumer].read(arrived, now=1.0).members
        shard.add(members, 1.0)
        taken += len(members)
        if taken % MOST:
            continue
        began, stopped = clock(), time.perf_counter()
        commit = shard.commit(1.0, last=True)
        assert commit is not None
        store.write(commit)
        longest = max(longest, time.perf_counter() - stopped)
        store.wait()
        assert store.take_durable()
        shard.durable()
        cpu += clock() - began
    return cpu, longest


def _restart(file: Path, groups: int) -> tuple[float, float]:
    gc.set_threshold(CYCLES_AFTER)
    steps, before, began = BenchSteps(AGGREGATE), resident(), time.perf_counter()
    store, shard = SQLiteStore(file, 1.0), _shard(steps)
    shard.recover(store.recover(), 1.0)
    seconds = time.perf_counter() - began
    assert shard.open_groups == groups
    each = (resident() - before) / groups
    store.close()
    return seconds, each


def _stops(turns: Sequence[int]) -> float:
    """Return the milliseconds of the longest activation in which shards with these turns commit.

    The median of all seconds: a machine with other programs stands still at times.
    """
    gc.set_threshold(CYCLES_AFTER)
    steps, shards, longest = BenchSteps(AGGREGATE), list[KeptShard](), [0.0] * SECONDS
    for turn in turns:
        shards.append(_shard(steps))
        shards[-1].recover(Recovered(None, {}), 1.0, turn=turn)
    arriving = arrivals(len(turns) * FEW * SECONDS, FEW, ids=True)
    read = (steps.job.readers[each.origin.consumer].read(each, now=1.0) for each in arriving)
    members = (member for each in read for member in each.members)
    for tick in range(int(SECONDS / TICK)):
        now = 1.0 + tick * TICK
        for shard in shards:
            shard.add([*islice(members, int(FEW * TICK))], now)
        began = time.perf_counter()
        made = [shard for shard in shards if shard.commit(now) is not None]
        second = int(tick * TICK)
        longest[second] = max(longest[second], time.perf_counter() - began)
        for shard in made:
            shard.durable()
    return 1e3 * median(longest)
