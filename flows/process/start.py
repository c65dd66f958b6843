"""Starts a job: reads the spec, makes the connectors, and checks once that the services answer.

An error in the spec, or a definite refusal of a service, ends the process with a message.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import sys
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import bytewax.run

from connectors import metrics
from connectors.connector import Sink, Source
from connectors.errors import SpecError, Unavailable
from flows.audit.health import Health
from flows.audit.reconcile import Accounts
from flows.audit.sharing import split_by_others
from flows.config.fixed_keys import fixed_keys
from flows.job import Job
from flows.process import allocator, last_words, reload
from flows.process.cluster_startup import ClusterStartup
from flows.process.cluster_watch import ClusterWatch
from flows.process.collector import show
from flows.process.introduction import introduction
from flows.process.log import set_up_log
from flows.process.monitor import Monitor
from flows.process.reload import Reloader
from flows.process.services import make_sink, make_source
from flows.process.stop import EXIT_UNAVAILABLE, ProcessStop
from flows.spec import Pipeline, load, warnings
from flows.steps.idle_wait import IdleWait
from flows.steps.routing import shards_of_keys
from flows.values.reloads import Reloads
from flows.version import VERSION

if TYPE_CHECKING:
    from flows.state.folder import StateFolder

LOG = logging.getLogger("hopper")

EXIT_SPEC = 2

CYCLES_AFTER = 10_000
"""New objects after which Python's garbage collector searches them for cycles. It finds none, since
neither groups nor values of messages have cycles; and it does not track messages themselves. With
Python's default of 700, the searches took a sixth of the CPU while messages were tuples."""


def start(path: str) -> Job:
    """Make a job that is ready to run.

    Raises:
        SystemExit: after the message is printed; 2: the file is wrong, 1: a service refuses.

    """
    allocator.keep_little()
    reloads, running = reload.begin(), reload.seen(path)
    try:
        spec = load(path)
        set_up_log(spec.log, spec.name)
        metrics.INFO.info({"name": spec.name, "version": VERSION})
        make_job, observer = _traces(spec)
        source, sink = make_source(spec, workers(), path), make_sink(spec, path, observer)
        for line in introduction(spec, path, len(source.consumers())):
            LOG.info("%s", line)
        for warning in warnings(spec):
            LOG.warning("%s: %s", path, warning)
        state = _state(spec, source.consumers())
        _check_services(spec, path, source, sink)
        accounts = Accounts(alone=_cluster()[0] == 1)
        stop = ProcessStop(spec.drain_timeout, source.unacknowledged, accounts)
        if reloads.paused:
            stop.pause()
        idle = _idle_wait(accounts, spec)
        job = make_job(spec, source, sink, stop, accounts, idle=idle, state=state)
        accept = partial(_accept, state, source)
        reloader = Reloader(path, running, stop, reloads, watch=spec.reload, accept=accept)
        cluster = _cluster_startup(stop, reloader)
        _watch(spec, job, stop, cluster, reloads, state)
    except SpecError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_SPEC)
    except Unavailable as error:
        LOG.error("%s", error)
        sys.exit(EXIT_UNAVAILABLE)
    stop.on_signals(reloader.ask, reloader.renew)
    if cluster is not None:
        cluster.start()
        _watch_others(stop, reloader)
    reload.accept_signals()
    reloader.start()
    atexit.register(reloader.renew_at_exit)  # after `_end`, which is registered later
    atexit.register(_end, job)
    gc.set_threshold(CYCLES_AFTER)
    # Objects made at startup live as long as the process: exempt them from GC scans.
    gc.freeze()
    return job


def _check_services(spec: Pipeline, path: str, source: Source, sink: Sink) -> None:
    source.check()
    for warning in split_by_others(source) if spec.aggregate.by is not None else ():
        LOG.warning("%s: %s", path, warning)
    sink.check()


def _cluster_startup(stop: ProcessStop, reloader: Reloader) -> ClusterStartup | None:
    addresses = _addresses()
    return ClusterStartup(addresses, _index(), stop, reloader.ask) if addresses else None


def _watch_others(stop: ProcessStop, reloader: Reloader) -> None:
    """End this process soon after another one of the cluster, with a plain line in the log."""
    ClusterWatch(_addresses(), _index(), stop, reloader.renew).start()
    last_words.install(reloader.renew)


def _idle_wait(accounts: Accounts, spec: Pipeline) -> IdleWait | None:
    if not accounts.alone:
        return None
    is_sole = _cluster()[1] == 1 and spec.state is None
    collect_seconds = spec.aggregate.window.collect_seconds
    return IdleWait(accounts, is_sole=is_sole, collect_seconds=collect_seconds)


def _watch(
    spec: Pipeline,
    job: Job,
    stop: ProcessStop,
    cluster: ClusterStartup | None,
    reloads: Reloads,
    state: StateFolder | None,
) -> None:
    """Start the monitor of accounts and health, and, if the spec has `metrics`, the HTTP server."""
    show(job)
    health = Health(
        spec.name,
        job.accounts,
        job.source,
        job.stop,
        spec.metrics.unhealthy_after if spec.metrics is not None else inf,
        sink=job.sink.state,
        blocked=job.backpressure.blocked,
        missing=cluster.missing if cluster is not None else lambda: (),
        reloads=reloads,
        state=state.problems if state is not None else lambda: (),
        withheld=job.withheld_because,
    )
    if spec.aggregate.by is not None:
        health.warn_of_sharing(lambda: split_by_others(job.source))
    if spec.metrics is not None:
        # Imported only here: a job without a port does not load what only the port needs.
        from flows.process.port import open_port  # noqa: PLC0415

        addresses = _addresses().split(";") if _addresses() else []
        open_port(spec, spec.metrics, job, health, stop, (addresses, _index()))
    Monitor(health, job.source, stop, lambda: job.ahead).start()


def _end(job: Job) -> None:
    if job.stop.reason is not None:
        LOG.info("drained: %s", job.accounts.messages)
    job.end()


def workers() -> int:
    """Return the number of workers of the whole cluster, by Bytewax's options; else 1."""
    processes, workers_of_each = _cluster()
    return processes * workers_of_each


def _cluster() -> tuple[int, int]:
    """Return the number of processes, and of workers in each."""
    arguments, addresses = _arguments(), _addresses()
    workers_of_each = arguments.workers_per_process if arguments is not None else None
    return len(addresses.split(";")), int(workers_of_each or 1)


def _addresses() -> str:
    """Return the addresses of all processes of the cluster; empty: there is no cluster."""
    arguments = _arguments()
    return (arguments.addresses if arguments is not None else None) or ""


def _index() -> int:
    """Return the position of this process among them."""
    arguments = _arguments()
    return int(arguments.process_id or 0) if arguments is not None else 0


def _arguments() -> argparse.Namespace | None:
    """Return the options of `python -m bytewax.run`, if the process runs that."""
    main = sys.modules["__main__"]
    if main.__spec__ is None or main.__spec__.name != "bytewax.run":
        return None
    arguments: argparse.Namespace = bytewax.run._parse_args()  # type: ignore[no-untyped-call]
    return arguments


def _state(spec: Pipeline, consumers: list[str]) -> StateFolder | None:
    """Take the folder of the state; `None`: the spec has none.

    Raises:
        Unavailable: the folder cannot be used.
    """
    if spec.state is None:
        return None
    # Imported only here, as the connectors: SQLite takes memory.
    from flows.state.folder import Owner, StateFolder  # noqa: PLC0415
    from flows.state.lock import ClusterMember  # noqa: PLC0415

    addresses = _addresses()
    member = ClusterMember(_index(), tuple(addresses.split(";")) if addresses else ())
    folder = StateFolder(Path(spec.state.path), spec.state.commit, member)
    shards = shards_of_keys(spec.aggregate, consumers)
    folder.open(Owner.of(spec), shards, fixed_keys(spec.aggregate))
    return folder


def _accept(state: StateFolder | None, source: Source, changed: Pipeline) -> None:
    """Refuse a changed spec that the state would refuse at the next start.

    Raises:
        Unavailable: the state refuses it.
    """
    if state is None or changed.state is None or Path(changed.state.path) != state.path:
        return
    from flows.state.folder import Owner  # noqa: PLC0415

    shards = shards_of_keys(changed.aggregate, source.consumers())
    state.accept(Owner.of(changed), shards, fixed_keys(changed.aggregate))


def _traces(spec: Pipeline) -> tuple[Callable[..., Job], metrics.BulkMetrics]:
    """Return what makes the job, and an observer of its requests; with traces if the spec has some.

    Imported only here: a job without traces does not load OpenTelemetry.
    """
    if spec.traces is None:
        return Job, metrics.BulkMetrics()
    from flows.traces.job import TracedJob  # noqa: PLC0415
    from flows.traces.sink import TracedBulkMetrics  # noqa: PLC0415
    from flows.traces.tracer import Tracer  # noqa: PLC0415

    tracer = Tracer(spec.traces, spec.name)
    return partial(TracedJob, tracer), TracedBulkMetrics(tracer)
