"""A process ends when another one of its cluster has ended, also if Bytewax does not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from flows.process.cluster_watch import GRACE, Peers, to_peers
from flows.process.connections import Connection
from tools.local.ports import free_ports

FIRST, SECOND = Connection(40000, "10.0.0.1", 1), Connection(1, "10.0.0.3", 40000)
BROKER = Connection(40001, "10.0.0.1", 5672)
HOSTS = {"a": ["10.0.0.1"], "b": ["10.0.0.2"], "c": ["10.0.0.3"]}


def test_connections_to_other_services_do_not_count() -> None:
    found = to_peers([FIRST, BROKER, SECOND], "a:1;b:1;c:1", 1, HOSTS.__getitem__)

    assert found == [FIRST, SECOND]


def test_a_connection_that_stays_closed_is_a_process_that_has_ended() -> None:
    peers = Peers([FIRST, SECOND])

    assert not peers.has_ended([BROKER, FIRST, SECOND], 100.0)
    assert not peers.has_ended([BROKER, SECOND], 101.0)
    assert not peers.has_ended([BROKER, SECOND], 100.9 + GRACE)
    assert peers.has_ended([BROKER, SECOND], 101.0 + GRACE)


def test_a_connection_that_was_not_seen_once_is_still_there() -> None:
    """The table of connections is not read at one moment."""
    peers = Peers([FIRST])

    assert not peers.has_ended([], 100.0)
    assert not peers.has_ended([FIRST], 101.0)
    assert not peers.has_ended([], 101.0 + GRACE)


def test_without_a_connection_to_watch_no_process_has_ended() -> None:
    """As on systems that do not show them."""
    assert not Peers([]).has_ended([BROKER], 100.0)


SPEC = """
version: 1
name: idle
source: {memory: {consumers: 2}}
aggregate: {window: {time: 1s}}
sink: {memory: {}}
"""

RUN = """
import runpy
from flows.process import cluster_watch
from flows.steps.source import Deliveries

cluster_watch.EVERY = cluster_watch.GRACE = 0.1
part = Deliveries.build_part
def build_part(*arguments):
    print("begun", flush=True)
    return part(*arguments)
Deliveries.build_part = build_part
runpy.run_module("bytewax.run", run_name="__main__", alter_sys=True)
"""
"""`python -m bytewax.run`, which looks more often, and prints when the dataflow begins."""


def test_an_idle_process_ends_when_another_one_is_killed(tmp_path: Path) -> None:
    """It sends nothing to the other one, so Bytewax does not notice."""
    (tmp_path / "pipeline.yaml").write_text(SPEC)
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, "flows.pipeline", "-i", str(index), "-a", addresses],
            env={**os.environ, "HOPPER_PIPELINE": str(tmp_path / "pipeline.yaml")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]
    with processes[0] as survivor, processes[1] as killed:
        try:
            for process in processes:
                assert process.stdout
                # Bytewax may print before how it connects.
                assert "begun\n" in iter(process.stdout.readline, "")
            killed.send_signal(signal.SIGKILL)
            _, printed = survivor.communicate(timeout=60)
        finally:
            for process in processes:
                process.kill()

    assert survivor.returncode == 1
    assert "another process of the cluster has ended, so this one ends too" in printed
