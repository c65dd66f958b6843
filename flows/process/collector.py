"""Exports the accounts to Prometheus, which reads them without counting again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.metrics import Description, description
from flows.audit.counters import Messages
from flows.job import Job


class AccountsCollector(Collector):
    """Reads the accounts of a job at each request.

    So Prometheus, the log, `/health` and `/readyz` report the same numbers.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def describe(self) -> Iterator[Metric]:
        """Return the metrics without values."""
        return _families()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics with their values of now."""
        job, messages = self._job, self._job.accounts.messages
        for counter in _COUNTERS:
            yield CounterMetricFamily(counter.name, counter.help, counter.read(job, messages))
        for gauge in _GAUGES:
            yield GaugeMetricFamily(gauge.name, gauge.help, gauge.read(job, messages))
        for labelled in _LABELLED:
            family = _family(labelled)
            for label, value in labelled.read(job).items():
                family.add_metric([label], value)
            yield family


def show(job: Job) -> None:
    """Register the accounts of this process with Prometheus; call it once."""
    REGISTRY.register(AccountsCollector(job))


def described() -> Iterator[Description]:
    """Return the metrics of a collector, for the documents."""
    for family in _families():
        yield description(family, family._labelnames)


class _Shown(NamedTuple):
    """One metric without labels."""

    name: str
    help: str
    read: Callable[[Job, Messages], float]


class _Labelled(NamedTuple):
    """One gauge with a label."""

    name: str
    help: str
    label: str
    read: Callable[[Job], Mapping[str, float]]
    """Returns the values by the values of the label."""


_COUNTERS = (
    _Shown(
        "hopper_received",
        "Messages that the broker has delivered to this process.",
        lambda _, messages: messages.received,
    ),
    _Shown(
        "hopper_stored", "Messages that the sink has stored.", lambda _, messages: messages.stored
    ),
    _Shown(
        "hopper_kept",
        "Messages acknowledged because the durable state of the job counts them (`state`).",
        lambda _, messages: messages.kept,
    ),
    _Shown(
        "hopper_rejected",
        "Messages that were rejected, whether they are parked by now or not.",
        lambda _, messages: messages.rejected,
    ),
    _Shown(
        "hopper_parked",
        "Rejected messages that are safely parked.",
        lambda _, messages: messages.parked,
    ),
    _Shown(
        "hopper_left_to_broker",
        "Rejected messages left to the dead-letter exchange of the queue: the file has no "
        "`dead_letter`.",
        lambda _, messages: messages.left_to_broker,
    ),
    _Shown(
        "hopper_requeued",
        "Messages in flight when their connection was lost or the job stopped: the broker "
        "redelivers them.",
        lambda _, messages: messages.requeued,
    ),
    _Shown(
        "hopper_dropped",
        "Messages acknowledged without being stored: `drop` in the file, or a command.",
        lambda _, messages: messages.dropped,
    ),
    _Shown(
        "hopper_stale_outcomes",
        "Outcomes that came after their connection was lost: the broker redelivers those messages.",
        lambda job, _: job.accounts.stale,
    ),
    _Shown(
        "hopper_ahead",
        "Messages with an event time further in the future than `ahead`: they do not move the "
        "watermark.",
        lambda job, _: job.ahead,
    ),
    _Shown(
        "hopper_skipped_values",
        "Values that functions of `reduce` skipped because they have the wrong type.",
        lambda job, _: job.skipped,
    ),
)
_GAUGES = (
    _Shown(
        "hopper_unacknowledged",
        "Messages in flight: in open groups, being written or being parked.",
        lambda job, _: job.source.unacknowledged(),
    ),
    _Shown(
        "hopper_prefetch",
        "The largest number of messages that the consumers of this process may hold in flight.",
        lambda job, _: job.backpressure.prefetch,
    ),
    _Shown(
        "hopper_held_bytes",
        "Memory that messages without an outcome take in this process, of `memory` in the spec.",
        lambda job, _: job.backpressure.held_bytes,
    ),
    _Shown(
        "hopper_memory_bytes",
        "`memory` of the spec: the most that held bytes may be in this process.",
        lambda job, _: job.backpressure.memory,
    ),
    _Shown(
        "hopper_oldest_unacknowledged_seconds",
        "Age of the oldest message in flight, since this process received it.",
        lambda job, _: job.backpressure.oldest,
    ),
    _Shown(
        "hopper_open_groups",
        "Open groups of this process.",
        lambda job, _: job.accounts.groups.groups,
    ),
    _Shown(
        "hopper_open_members",
        "Members of the open groups of this process.",
        lambda job, _: job.accounts.groups.open,
    ),
    _Shown(
        "hopper_sink_documents",
        "Documents that this process has submitted to the sink and that have no answer yet.",
        lambda job, _: job.accounts.sink.open,
    ),
    _Shown(
        "hopper_bulk_requests",
        "Bulk requests in flight.",
        lambda job, _: job.sink.pace().in_flight,
    ),
    _Shown(
        "hopper_bulk_concurrency",
        "Bulk requests that may be in flight now: `concurrency` of the spec, or fewer while "
        "Elasticsearch is overloaded.",
        lambda job, _: job.sink.pace().concurrency,
    ),
    _Shown(
        "hopper_bulk_max_bytes",
        "Size of the largest bulk request that is sent now: less than the limit of the spec where "
        "Elasticsearch or a proxy takes no more.",
        lambda job, _: job.sink.pace().max_bytes,
    ),
    _Shown(
        "hopper_paused",
        "1 while the process is paused by `hopper pause`, else 0.",
        lambda job, _: job.stop.paused,
    ),
    _Shown(
        "hopper_sink_answering",
        "1 if the sink answers, even with a refusal, else 0.",
        lambda job, _: job.sink.state().answers,
    ),
)


_LABELLED = (
    _Labelled(
        "hopper_broker_connected",
        "1 if the consumer is connected to the broker and consumes, else 0.",
        "consumer",
        lambda job: {name: one.connected for name, one in job.accounts.consumers.items()},
    ),
    _Labelled(
        "hopper_queue_messages",
        "Messages that wait in the queue, as the broker said last: it is asked every five seconds.",
        "queue",
        lambda job: job.source.waiting(),
    ),
)


def _families() -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    for counter in _COUNTERS:
        yield CounterMetricFamily(counter.name, counter.help)
    for gauge in _GAUGES:
        yield GaugeMetricFamily(gauge.name, gauge.help)
    yield from map(_family, _LABELLED)


def _family(labelled: _Labelled) -> GaugeMetricFamily:
    return GaugeMetricFamily(labelled.name, labelled.help, labels=[labelled.label])
