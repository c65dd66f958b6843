"""One run: starts everything, causes faults, waits, drains, and checks the outcomes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.chaos.aggregates import AGGREGATES, SPEC
from tests.chaos.checker import RunVerdict, check
from tests.chaos.faults import FaultTargets, delete_queue, make
from tests.chaos.messages import MessageMaker
from tests.chaos.producer import Producer
from tests.chaos.schedule import KINDS, LANES, QUIET, possible, schedule
from tests.chaos.settling import empty, groups, settle
from tests.chaos.shared import jobs
from tests.chaos.truce import Truce
from tests.chaos.watch import ProgressWatch
from tests.chaos.world import ChaosWorld
from tests.waiting import until

SETTLED_WITHIN = 180.0
"""Seconds without faults for the job to settle the rest of the queue."""
CONSUMER_TIMEOUTS = ("8s", "30m")
"""By the seed: the spec has the broker's consumer timeout, or it does not."""


class RunPlan(NamedTuple):
    """The parameters of a run, which the command line can give."""

    seed: int
    seconds: float
    shape: str
    aggregate: str
    rate: int
    kinds: tuple[str, ...] = KINDS


class RunResult(NamedTuple):
    """The result of a run."""

    plan: RunPlan
    faults: Counter[str]
    verdict: RunVerdict
    longest: float
    """Seconds without a new document, while messages waited."""
    lives: int
    stops: int
    """How often a consumer has stopped at the limit on rejections."""
    left: int
    """Messages that were still in the queue after the last wait, or groups in the state."""
    codes: list[int]
    """Exit codes of the last drain."""
    unexpected: list[str]
    """Ends of the job without a cause, and faults that could not be caused."""

    @property
    def good(self) -> bool:
        """Whether the guarantee was kept."""
        return self.verdict.good and not self.left and not any(self.codes)


def run(world: ChaosWorld, plan: RunPlan, folder: Path) -> RunResult:
    """Run a plan; the job's log and spec stay in `folder`."""
    aggregate, state = AGGREGATES[plan.aggregate], folder / "state"
    world.begin()
    messages = MessageMaker(plan.seed, aggregate.keyed, aggregate.reduced)
    producer = Producer(world.broker.url, world.queue, messages, plan.rate)
    supervisor = jobs(_spec(world, plan, folder), plan.shape)
    watch = ProgressWatch(world, producer)
    for thread in (producer, supervisor, watch):
        thread.start()
    try:
        until(lambda: watch.documents or groups(state), 60)
        targets = FaultTargets(world, producer, supervisor, aggregate, state)
        faults, unexpected = _break(plan, targets, folder)
        world.unblock()
        if "queue deleted" in plan.kinds:
            deletions = partial(delete_queue, targets, SETTLED_WITHIN)
            faults["queue deleted"] = _noted("queue deleted", deletions, folder)
        producer.stop()
        left = settle(world, supervisor, aggregate, SETTLED_WITHIN)
        left = left or empty(state, supervisor, SETTLED_WITHIN)
        watch.stop()
        codes = supervisor.finish()
        left = left or world.held()
    finally:
        supervisor.abandon()
    verdict = check(world, messages, producer.published, producer.unconfirmed, aggregate)
    world.end()
    return RunResult(
        *(plan, faults, verdict, watch.longest, supervisor.lives, supervisor.stops()),
        *(left, codes, supervisor.unexpected + unexpected),
    )


def _spec(world: ChaosWorld, plan: RunPlan, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path, aggregate = folder / "pipeline.yaml", AGGREGATES[plan.aggregate]
    path.write_text(
        SPEC.format(
            broker=world.broker_url,
            store=world.store_url,
            queue=world.queue,
            index=world.index,
            prefetch=f"prefetch: {aggregate.prefetch}" if aggregate.prefetch else "",
            consumer_timeout=Random(plan.seed).choice(CONSUMER_TIMEOUTS),
            aggregate=aggregate.yaml,
            state=f"state: {{path: {folder / 'state'}}}" if aggregate.durable else "",
        )
    )
    return path


def _break(plan: RunPlan, targets: FaultTargets, folder: Path) -> tuple[Counter[str], list[str]]:
    """Run all lanes at once, until the time is over."""
    deadline = time.monotonic() + plan.seconds
    truce, faults, unexpected = Truce(), Counter[str](), list[str]()
    kinds = possible(plan.kinds, targets.aggregate.durable)

    def lane(name: str) -> None:
        for fault in schedule(plan.seed, name, kinds):
            time.sleep(min(fault.after, max(0.0, deadline - time.monotonic())))
            with truce.breaking(name, QUIET.get(fault.kind, ())):
                if time.monotonic() >= deadline:
                    return
                faults[fault.kind] += _noted(fault.kind, partial(make, fault, targets), folder)

    _together([lambda name=name: lane(name) for name in LANES], unexpected)  # type: ignore[misc]
    return faults, unexpected


def _noted(kind: str, cause: Callable[[], int], folder: Path) -> int:
    """Cause a fault, and note in a file when, how long, and how often, which is returned."""
    begun, at = time.monotonic(), time.strftime("%H:%M:%S")
    times = cause()
    with (folder / "faults.log").open("a") as log:
        log.write(f"{at} {kind}, {time.monotonic() - begun:.1f} s: {times}\n")
    return times


def _together(tasks: list[Callable[[], None]], unexpected: list[str]) -> None:
    """Run all tasks at once; an error in causing a fault is recorded as unexpected."""

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001  # the other lanes go on
            unexpected.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=guarded, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
