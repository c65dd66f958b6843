"""A process that waits for the others of its cluster logs it, and can be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.process.cluster_startup import missing
from flows.process.connections import Connection
from tools.local.ports import free_ports

SPEC = """
version: 1
name: alone
source: {memory: {}}
aggregate: {window: {time: 1s}}
sink: {memory: {}}
"""


RUN = """
import runpy
from flows.process import cluster_startup

cluster_startup.EVERY = 0.1
runpy.run_module("bytewax.run", run_name="__main__", alter_sys=True)
"""
"""`python -m bytewax.run`, which logs more often what it waits for."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_while_it_waits(tmp_path: Path, number: signal.Signals) -> None:
    """Bytewax handles no signals before all processes are connected."""
    (tmp_path / "pipeline.yaml").write_text(SPEC)
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "flows.pipeline", "-i", "0", "-a", addresses],
        env={**os.environ, "HOPPER_PIPELINE": str(tmp_path / "pipeline.yaml")},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        waiting = f"waiting for the other processes of the cluster: {addresses.split(';')[1]}"
        assert any(waiting in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGHUP)  # a reload waits for the cluster
        later = "reloads when the whole cluster is connected: SIGHUP"
        assert any(later in line for line in iter(process.stderr.readline, ""))
        process.send_signal(number)
        assert process.wait(timeout=10) == 128 + number


HOSTS = {"a": ["10.0.0.1"], "b": ["10.0.0.2"], "c": ["10.0.0.3"], "localhost": ["::1", "127.0.0.1"]}


@pytest.mark.parametrize(
    ("addresses", "index", "connections", "expected"),
    [
        ("a:1;b:1;c:1", 0, [], ["b:1", "c:1"]),
        ("a:1;b:1;c:1", 0, [Connection(1, "10.0.0.3", 40000)], ["b:1"]),
        ("a:1;b:1;c:1", 1, [Connection(40000, "10.0.0.1", 1)], ["c:1"]),
        ("a:1;b:1;c:1", 1, [Connection(1, "10.0.0.3", 40000)], ["a:1"]),
        ("a:1;b:1;c:1", 2, [Connection(40000, "10.0.0.2", 1)], ["a:1"]),
        ("a:1;b:1", 1, [Connection(40000, "10.0.0.1", 1)], []),
        ("a:1;b:1", 1, [Connection(40000, "10.0.0.1", 5672)], ["a:1"]),
        ("a:1;unknown:1", 0, [], ["unknown:1"]),
        ("localhost:1;localhost:2;localhost:3", 0, [], ["localhost:2", "localhost:3"]),
        (
            "localhost:1;localhost:2;localhost:3",
            0,
            [Connection(1, "127.0.0.1", 40000)],
            ["1 of localhost:2 and localhost:3"],
        ),
        ("a:1;b:1", 0, [Connection(1, "10.9.9.9", 40000)], []),
    ],
)
def test_missing_processes_are_named(
    addresses: str, index: int, connections: list[Connection], expected: list[str]
) -> None:
    """By their TCP connections; a connection from an unknown address counts too."""
    found = missing(addresses.split(";"), index, connections, lambda host: HOSTS.get(host, ()))

    assert found == expected
