"""How the job begins: reads the spec, makes the connectors, and looks once whether they are there.

What is wrong ends the process here, with a message for the one who started it.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import sys
from math import inf

import bytewax.run

from connectors import metrics
from connectors.connector import Sink, Source
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import SpecError, Unavailable
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from flows.audit.collector import show
from flows.audit.health import Health
from flows.audit.monitor import Monitor
from flows.audit.reconcile import Accounts
from flows.audit.sharing import split_by_others
from flows.job import Job
from flows.process import last_words
from flows.process.cluster_startup import ClusterStartup
from flows.process.introduction import introduction
from flows.process.stop import EXIT_UNAVAILABLE, ProcessStop
from flows.spec import Pipeline, load, warnings
from flows.version import VERSION

LOG = logging.getLogger("hopper")

EXIT_SPEC = 2

CYCLES_AFTER = 10_000
"""New objects after which Python looks for cycles among them: it finds none, since neither groups
nor the values of messages point back. Messages themselves it passes over. With Python's own 700 it
took a sixth of the CPU while they were tuples."""


def start(path: str) -> Job:
    """Make a job, ready to go.

    Raises:
        SystemExit: with the message printed; 2 when the file is wrong, 1 when a service is.

    """
    _log_to_stderr()
    try:
        spec = load(path)
        _name_log(spec.name)
        metrics.INFO.info({"name": spec.name, "version": VERSION})
        source, sink = _source(spec, workers(), path), _sink(spec, path)
        for line in introduction(spec, path, len(source.consumers())):
            LOG.info("%s", line)
        for warning in warnings(spec):
            LOG.warning("%s: %s", path, warning)
        source.check()
        for warning in split_by_others(source) if spec.aggregate.by is not None else ():
            LOG.warning("%s: %s", path, warning)
        sink.check()
        accounts = Accounts(alone=_cluster()[0] == 1)
        stop = ProcessStop(spec.drain_timeout, source.unacknowledged, accounts)
        job = Job(spec, source, sink, stop, accounts)
        cluster = ClusterStartup(addresses, _index(), stop) if (addresses := _addresses()) else None
        _watch(spec, job, stop, cluster)
    except SpecError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_SPEC)
    except Unavailable as error:
        LOG.error("%s", error)
        sys.exit(EXIT_UNAVAILABLE)
    stop.on_signals()
    if cluster is not None:
        cluster.start()
        last_words.install()
    atexit.register(_report, job)
    gc.set_threshold(CYCLES_AFTER)
    gc.freeze()  # what is there by now stays
    return job


def _watch(spec: Pipeline, job: Job, stop: ProcessStop, cluster: ClusterStartup | None) -> None:
    """Look at the accounts and at the health from now on; answer requests, if the spec wants it."""
    show(job)
    health = Health(
        job.accounts,
        job.source,
        job.stop,
        spec.metrics.unhealthy_after if spec.metrics is not None else inf,
        sink=job.sink.state,
        blocked=job.backpressure.blocked,
        missing=cluster.missing if cluster is not None else lambda: (),
    )
    if spec.aggregate.by is not None:
        health.warn_of(lambda: split_by_others(job.source))
    if spec.metrics is not None:
        pages = {"/health": health.health, "/ready": health.ready}
        metrics.serve(spec.metrics.host, spec.metrics.port, pages)
    Monitor(health, job.source, stop, lambda: job.ahead).start()


def _report(job: Job) -> None:
    if job.stop.reason is not None:
        LOG.info("drained: %s", job.accounts.messages)


def workers() -> int:
    """Workers of the whole cluster, as `python -m bytewax.run` was told; else one."""
    processes, workers_of_each = _cluster()
    return processes * workers_of_each


def _cluster() -> tuple[int, int]:
    """Processes, and workers of each."""
    arguments, addresses = _arguments(), _addresses()
    workers_of_each = arguments.workers_per_process if arguments is not None else None
    return len(addresses.split(";")), int(workers_of_each or 1)


def _addresses() -> str:
    """Of all processes of the cluster; empty: there is none."""
    arguments = _arguments()
    return (arguments.addresses if arguments is not None else None) or ""


def _index() -> int:
    """Our own place among them."""
    arguments = _arguments()
    return int(arguments.process_id or 0) if arguments is not None else 0


def _arguments() -> argparse.Namespace | None:
    """What `python -m bytewax.run` was told, when that is what runs."""
    main = sys.modules["__main__"]
    if main.__spec__ is None or main.__spec__.name != "bytewax.run":
        return None
    arguments: argparse.Namespace = bytewax.run._parse_args()  # type: ignore[no-untyped-call]
    return arguments


# Only the connectors that a job uses are imported: a dry run in memory needs no pika. They get the
# spec again when they are not let in any more, because passwords in files may change meanwhile.


def _source(spec: Pipeline, workers: int, path: str) -> Source:
    if spec.source.rabbitmq is not None:
        from connectors.rabbitmq.source import RabbitMQ  # noqa: PLC0415

        return RabbitMQ(*_rabbitmq(spec), workers, reload=lambda: _rabbitmq(load(path)))
    from connectors.memory.source import MemoryQueueSource  # noqa: PLC0415

    assert spec.source.memory is not None
    return MemoryQueueSource(spec.source.memory, workers)


def _rabbitmq(spec: Pipeline) -> tuple[RabbitMQSource, RabbitMQDeadLetter | None]:
    if spec.source.rabbitmq is None:
        raise SpecError(["source.rabbitmq is not there any more"])
    return spec.source.rabbitmq, spec.dead_letter.rabbitmq if spec.dead_letter else None


def _sink(spec: Pipeline, path: str) -> Sink:
    if spec.sink.elasticsearch is not None:
        from connectors.elasticsearch.sink import Elasticsearch  # noqa: PLC0415

        return Elasticsearch(
            spec.sink.elasticsearch,
            metrics.BulkMetrics(),
            lambda: _elasticsearch(path),
            spec.source.chosen.queue,
        )
    from connectors.memory.sink import MemoryStoreSink  # noqa: PLC0415

    assert spec.sink.memory is not None
    return MemoryStoreSink(spec.sink.memory)


def _elasticsearch(path: str) -> ElasticsearchSink | None:
    try:
        return load(path).sink.elasticsearch
    except SpecError:
        return None  # it is being written right now


def _name_log(job: str) -> None:
    """Let each line tell which job it is of, where several write to one place."""
    named = FORMAT.replace(": ", f" [{job.replace('%', '%%')}]: ", 1)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(named))


FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _log_to_stderr() -> None:
    logging.basicConfig(format=FORMAT, level="INFO")
    # Both report at length what our own lines say in one sentence.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
