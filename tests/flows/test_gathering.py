"""A process that waits for the others of its cluster says so, and can be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.ports import free_ports

SPEC = """
version: 1
name: alone
source: {memory: {}}
aggregate: {window: {time: 1s}}
sink: {memory: {}}
"""


RUN = """
import runpy
from flows import gathering

gathering.EVERY = 0.1
runpy.run_module("bytewax.run", run_name="__main__", alter_sys=True)
"""
"""`python -m bytewax.run`, that tells more often what it waits for."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_while_it_waits(tmp_path: Path, number: signal.Signals) -> None:
    """Bytewax hears no signals before all are there."""
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
        told = f"waiting for the other processes of the cluster: {addresses}"
        assert any(told in line for line in iter(process.stderr.readline, ""))
        process.send_signal(number)
        assert process.wait(timeout=10) == 128 + number
