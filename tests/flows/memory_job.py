"""Runs a whole job in memory until a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bytewax.testing import cluster_main, run_main

from connectors.memory import sink, source
from connectors.memory.broker import MemoryQueue
from connectors.message import Properties
from flows.audit.reconcile import Accounts
from flows.job import Job
from flows.pipeline import build_flow
from flows.spec import Pipeline
from flows.state.commit import State
from flows.steps.idle_wait import IdleWait
from flows.values.stop import Stop
from tests.waiting import until


def pipeline(name: str, consumers: int = 1, **aggregate: Any) -> Pipeline:
    return Pipeline.model_validate(
        {
            "version": 1,
            "name": name,
            "source": {"memory": {"name": name, "consumers": consumers, "prefetch": 1000}},
            "aggregate": {"window": {"count": 100, "time": "50ms"}} | aggregate,
            "sink": {"memory": {"name": name}},
        }
    )


def make_job(
    spec: Pipeline, workers: int = 1, *, waits: bool = False, state: State | None = None
) -> Job:
    """Make a job for so many workers; `waits`: they wait while they have nothing to do."""
    assert spec.source.memory
    assert spec.sink.memory
    stop = Stop()
    memory = source.MemoryQueueSource(spec.source.memory, workers)
    accounts = Accounts()
    idle = IdleWait(accounts, is_sole=workers == 1) if waits else None
    store = sink.MemoryStoreSink(spec.sink.memory)
    return Job(spec, memory, store, stop, accounts, idle=idle, state=state)


def run(spec: Pipeline, done: Callable[[], bool], workers: int = 1, **options: Any) -> None:
    """Run a job until `done`, then drain it; `options` are Bytewax's, of one worker."""
    run_job(make_job(spec, workers), done, workers, **options)


def run_job(job: Job, done: Callable[[], bool], workers: int = 1, **options: Any) -> None:
    """See `run`."""
    flow = build_flow(job)

    def drain_when_done() -> None:
        try:
            until(done)
        finally:
            job.stop.request("the test has seen enough")

    with ThreadPoolExecutor() as threads:
        watch = threads.submit(drain_when_done)
        if workers == 1:
            run_main(flow, **options)  # type: ignore[no-untyped-call]
        else:
            cluster_main(  # type: ignore[no-untyped-call]
                flow, [], 0, worker_count_per_proc=workers
            )
    watch.result()


def publish(queue: MemoryQueue, count: int) -> None:
    for number in range(count):
        queue.publish(b'{"n":%d}' % number, properties=Properties(message_id=str(number)))
