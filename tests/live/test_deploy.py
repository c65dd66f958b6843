"""The job with what systemd and Kubernetes put into its environment."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = pytest.mark.live


def test_systemd_learns_when_the_job_is_ready_and_that_it_is_alive(
    rig: RabbitMQRig, events: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with JobProcess(spec(tmp_path, rig, events)) as job:
            until(lambda: systemd.recv(100) == b"READY=1")
            assert "consuming" in job.log
            until(lambda: systemd.recv(100) == b"WATCHDOG=1")
            assert job.drain() == 0


def test_pods_of_a_stateful_set_find_each_other(
    rig: RabbitMQRig, events: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the pod and a file of addresses, as deploy/kubernetes/cluster gives them."""
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("".join(f"localhost:{port}\n" for port in free_ports(2)))
    monkeypatch.setenv("BYTEWAX_STATEFULSET_NAME", "hopper")
    monkeypatch.setenv("BYTEWAX_HOSTFILE_PATH", str(addresses))
    file = spec(tmp_path, rig, events)
    publish(rig, 100)

    monkeypatch.setenv("BYTEWAX_POD_NAME", "hopper-0")
    with JobProcess(file) as first:
        monkeypatch.setenv("BYTEWAX_POD_NAME", "hopper-1")
        with JobProcess(file) as second:
            until(lambda: events.count() == 100 and rig.left() == 0)
            assert "consuming" in first.log
            assert "consuming" in second.log
            assert first.drain() == 0
            assert second.process.wait(30) == 0
