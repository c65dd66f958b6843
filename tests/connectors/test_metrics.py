"""Metrics are served by each process at its own port, and described in the documents."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, generate_latest

from connectors import metrics
from connectors.connector import Load
from connectors.memory.source import queue
from connectors.message import Arrived, Message, Opened, Origin, Outcomes
from connectors.reject_kind import MAX_KINDS
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


@pytest.fixture(autouse=True)
def no_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds of dead letters that other tests have made."""
    monkeypatch.setattr(metrics, "_KINDS", set())


def test_dead_letters_are_counted_by_the_first_word_of_their_reason() -> None:
    def count(kind: str) -> float:
        return float(metrics.DEAD_LETTERS.labels(kind)._value.get())

    before = {kind: count(kind) for kind in ("late", "unreadable", "other")}
    for reason in ("late: its window is closed", "unreadable: no JSON", "500 Server Error", ""):
        metrics.dead_lettered(reason, 2)

    assert {kind: count(kind) - was for kind, was in before.items()} == {
        "late": 2,
        "unreadable": 2,
        "other": 4,
    }


def test_reasons_of_any_kind_make_a_bounded_number_of_series() -> None:
    for number in range(1000):
        metrics.dead_lettered("x" * (3 + number % 50) + "y" * (number // 50) + ": why", 1)

    [family] = metrics.DEAD_LETTERS.collect()
    made = {sample.labels["kind"] for sample in family.samples if "xxx" in sample.labels["kind"]}
    assert 0 < len(made) <= MAX_KINDS


def test_the_oldest_message_and_the_memory_are_those_of_all_consumers() -> None:
    job = make_job(pipeline("ages"))
    for name, age in (("q/0", 3.0), ("q/1", 7.5)):
        account = job.accounts.open(name, SettlingStub())
        job.backpressure.check(name, account, Load(memory=1024, oldest=age), 0.0)

    shown = {
        sample.name: sample.value
        for family in AccountsCollector(job).collect()
        for sample in family.samples
    }
    assert shown["hopper_oldest_unacknowledged_seconds"] == 7.5
    assert shown["hopper_memory_bytes"] == 2048


def test_the_messages_that_wait_are_shown_for_each_queue() -> None:
    job = make_job(pipeline("waiting"))
    queue("waiting").publish(b"{}", b"{}")

    [family] = [f for f in AccountsCollector(job).collect() if f.name == "hopper_queue_messages"]

    [sample] = family.samples
    assert (sample.labels, sample.value) == ({"queue": "waiting"}, 2)
