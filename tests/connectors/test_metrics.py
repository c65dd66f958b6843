"""What is counted is served, to each process at a port of its own, and described for the README."""

from __future__ import annotations

import json
import logging
import re
import socket
import urllib.error
import urllib.request

import pytest

from connectors import metrics
from connectors.errors import Unavailable
from deploy.local.ports import free_ports


def test_each_endpoint_takes_the_next_free_port(caplog: pytest.LogCaptureFixture) -> None:
    """Processes of one host share a spec; the log says where each one answers."""
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]

        metrics.serve("127.0.0.1", port)

    [url] = re.findall(r"http://\S+", caplog.text)
    assert port < int(url.split(":")[2].partition("/")[0]) < port + metrics.PORTS
    assert b"# TYPE hopper_received_total counter" in urllib.request.urlopen(url).read()


def test_pages_are_served_beside_the_metrics(caplog: pytest.LogCaptureFixture) -> None:
    """By their paths; with 503 where something is wrong."""
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


def test_a_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1, port 9100: .*assign requested address"):
        metrics.serve("192.0.2.1", 9100)


def test_every_metric_is_described() -> None:
    """With a sentence, and by the name that Prometheus shows."""
    described = list(metrics.described())

    assert len({metric.name for metric in described}) == len(described)
    for metric in described:
        assert metric.name.startswith("hopper_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")
    [again] = [metric for metric in described if metric.name == "hopper_again_total"]
    assert again.labels == ("status",)


def test_the_summary_has_whole_numbers() -> None:
    metrics.DROPPED.inc()

    assert re.fullmatch(
        r"\d+ received, \d+ stored, \d+ rejected, \d+ parked, \d+ dropped(, \d+ given back)?",
        metrics.summary(),
    )
