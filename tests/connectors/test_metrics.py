"""Metrics are served by each process at its own port, and described in the documents."""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, generate_latest

from connectors import metrics
from connectors.message import Arrived, Message, Opened, Origin, Outcomes
from flows.process import collector
from flows.process.collector import AccountsCollector
from tests.flows.memory_job import make_job, pipeline
from tests.flows.settling import SettlingStub

MESSAGE = Message(1, False, b"", b"", b"{}")


def test_name_and_version_are_shown_without_creation_times() -> None:
    metrics.INFO.info({"name": "orders", "version": "1.2.3"})
    metrics.BULK_SECONDS.observe(1)

    shown = generate_latest(REGISTRY).decode()

    assert 'hopper_info{name="orders",version="1.2.3"} 1.0\n' in shown
    assert "_created" not in shown


def test_every_metric_is_described() -> None:
    """With a sentence, and by the name that Prometheus shows."""
    described = [*collector.described(), *metrics.described()]

    assert len({metric.name for metric in described}) == len(described) > 30
    for metric in described:
        assert metric.name.startswith("hopper_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")
    [retries] = [metric for metric in described if metric.name == "hopper_retries_total"]
    assert retries.labels == ("status",)


def test_every_metric_of_the_module_is_declared() -> None:
    kinds = Counter | Gauge | Histogram | Info
    found = [value for value in vars(metrics).values() if isinstance(value, kinds)]

    assert found == list(metrics.DECLARED)


def test_the_last_line_of_the_log_has_whole_numbers() -> None:
    """The numbers are those of the accounts; rare ones are shown only if they are not zero."""
    job = make_job(pipeline("summary"))
    account = job.accounts.open("q/0", SettlingStub())
    account.take([Opened(Origin("q/0", 1)), Arrived(Origin("q/0", 1), [MESSAGE] * 9)])
    account.settle(Outcomes(Origin("q/0", 1), [1, 2], [], dropped=[3]))

    line = "9 received, 2 stored, 0 rejected, 0 parked, 1 dropped"
    assert str(job.accounts.messages) == line
    [family] = [f for f in AccountsCollector(job).collect() if f.name == "hopper_stored"]
    assert [sample.value for sample in family.samples] == [2]
