"""Metrics are served by each process at its own port, and described in the documents."""

from __future__ import annotations

import json
import logging
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info

from connectors import metrics
from connectors.errors import Unavailable
from connectors.message import Arrived, Message, Opened, Origin, Outcomes
from flows.process import collector
from flows.process.collector import AccountsCollector
from tests.flows.memory_job import make_job, pipeline
from tests.flows.settling import SettlingStub
from tools.local.ports import free_ports

MESSAGE = Message(1, False, b"", b"", b"{}")


@pytest.fixture
def shown() -> Iterator[None]:
    """The accounts of a job, among the metrics of this process."""
    accounts = AccountsCollector(make_job(pipeline("shown")))
    REGISTRY.register(accounts)
    yield
    REGISTRY.unregister(accounts)


@pytest.mark.usefixtures("shown")
def test_each_endpoint_takes_the_next_free_port(caplog: pytest.LogCaptureFixture) -> None:
    """Processes of one host share a spec; the log names the port of each."""
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]

        metrics.serve("127.0.0.1", port)

    [url] = re.findall(r"http://\S+", caplog.text)
    assert port < int(url.split(":")[2].partition("/")[0]) < port + metrics.PORTS
    assert b"# TYPE hopper_received_total counter" in urllib.request.urlopen(url).read()


@pytest.mark.usefixtures("shown")
def test_pages_are_served_beside_the_metrics(caplog: pytest.LogCaptureFixture) -> None:
    """By their paths, with 503 where something is wrong."""
    caplog.set_level(logging.INFO)
    pages = {"/well": lambda: (True, {"a": 1}), "/ill": lambda: (False, {"reasons": ["b"]})}

    metrics.serve("127.0.0.1", free_ports(1)[0], pages)

    [url] = re.findall(r"(http://\S+)/metrics", caplog.text)
    assert json.load(urllib.request.urlopen(f"{url}/well?pretty")) == {"a": 1}
    with pytest.raises(urllib.error.HTTPError) as ill:
        urllib.request.urlopen(f"{url}/ill")
    with ill.value as answer:
        assert (answer.code, json.load(answer)) == (503, {"reasons": ["b"]})
    assert (
        b"# TYPE hopper_received_total counter" in urllib.request.urlopen(f"{url}/metrics").read()
    )


def test_an_unknown_page_is_not_found(caplog: pytest.LogCaptureFixture) -> None:
    """Prometheus has a page of its own; the answer lists the other pages."""
    caplog.set_level(logging.INFO)
    metrics.serve("127.0.0.1", free_ports(1)[0], {"/health": lambda: (True, {})})
    [url] = re.findall(r"(http://\S+)/metrics", caplog.text)

    for page in ("", "/", "/favicon.ico", "/metrics/", "/healthz"):
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{url}{page}")
        with missing.value as answer:
            assert (answer.code, answer.read()) == (404, b"not found; there is /metrics, /health\n")


def test_name_and_version_are_shown_without_creation_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    metrics.INFO.info({"name": "orders", "version": "1.2.3"})
    metrics.BULK_SECONDS.observe(1)
    metrics.serve("127.0.0.1", free_ports(1)[0])
    [url] = re.findall(r"http://\S+/metrics", caplog.text)

    shown = urllib.request.urlopen(url).read().decode()

    assert 'hopper_info{name="orders",version="1.2.3"} 1.0\n' in shown
    assert "_created" not in shown


def test_a_host_that_is_not_local_is_reported() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1, port 9100: .*assign requested address"):
        metrics.serve("192.0.2.1", 9100)


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
