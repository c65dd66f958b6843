"""`hopper top`, against the port of a job in this process."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from flows.process import port
from flows.process.events import Snapshots
from tests.flows.cli.command import TOP, hopper, json_of
from tests.flows.served_job import SECRETS, ServedJob
from tools.local.ports import free_ports, is_free


@pytest.fixture
def missing_port() -> Iterator[int]:
    """A port at which nothing can listen during the test, and which follows a free one."""
    for number in free_ports(100):
        with socket.socket() as held:
            if is_free(number + 1):
                held.bind(("127.0.0.1", number + 1))
                yield number + 1
                return


@pytest.fixture
def job(missing_port: int, monkeypatch: pytest.MonkeyPatch) -> ServedJob:
    """Its second process is missing; it sends a snapshot more often than each second."""
    monkeypatch.setattr(port, "Snapshots", partial(Snapshots, every=0.05))
    job = ServedJob("localhost:2101", "localhost:2102", port=missing_port - 1)
    job.publish({"order": "order-1", "type": "line", "amount": 1}, b"no JSON")
    job.publish({"order": "order-2", "type": "end", "amount": 1})
    return job


@pytest.fixture
def file(job: ServedJob, tmp_path: Path) -> str:
    return job.write(tmp_path)


def test_one_snapshot_as_text(missing_port: int, file: str) -> None:
    """Without a terminal `--once` is not needed; the missing process of the cluster is named."""
    result = hopper("top", file)

    assert result.code == 0, result.err
    assert result.out.startswith("Limited by nothing: no message waits in the queue")
    missing = f"http://127.0.0.1:{missing_port}"
    assert f"Missing: {missing} does not answer: Connection refused\n" in result.out
    assert "Dead letters  " in result.out
    assert "Dead letters  none" not in result.out
    assert "Groups        1 open, with 1 messages" in result.out
    assert "\x1b" not in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_one_snapshot_as_json(job: ServedJob, file: str) -> None:
    now = json_of(hopper("top", file, "--once", "--json"), "top")

    assert (now["job"], now["stored"]) == (job.name, 1)
    assert "missing_key" in now["dead_letters"]
    assert (now["healthy"], [one["missing"] is None for one in now["processes"]]) == (
        False,
        [True, False],
    )
    assert [secret for secret in SECRETS if secret in json.dumps(now)] == []


RUN = """
from flows.cli import main, top

top.EVERY = 0.05
main.main()
"""
"""`python -m flows`, which shows more often what there is."""


def test_snapshots_as_lines_of_json(job: ServedJob, file: str) -> None:
    """They are complete while the command runs, and Ctrl-C is its usual end."""
    schema = json.loads(hopper("schema", "top").out)
    command = [sys.executable, "-c", RUN, "top", file, "--json", "--url", job.url]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE) as top:
        assert top.stdout
        try:
            shown = [json.loads(top.stdout.readline()) for _ in range(2)]
            top.send_signal(signal.SIGINT)
            top.stdout.read()
            assert top.wait(20) == 0
        finally:
            top.kill()

    for one in shown:
        jsonschema.validate(one, schema)
    times = [one["at"] for one in shown]
    assert times == sorted(times)


def test_a_terminal_shows_it_until_ctrl_c(job: ServedJob, file: str) -> None:
    ours, terminal = pty.openpty()
    command = [sys.executable, "-c", RUN, "top", file, "--url", job.url]
    with subprocess.Popen(command, cwd=TOP, stdin=terminal, stdout=terminal) as top:
        os.close(terminal)
        seen = bytearray()
        try:
            while seen.count(b"Limited by") < 2:
                seen.extend(os.read(ours, 65536))
            top.send_signal(signal.SIGINT)
            with suppress(OSError):  # what Linux reports when the other end is closed
                while more := os.read(ours, 65536):
                    seen.extend(more)
            assert top.wait(20) == 0
        finally:
            top.kill()
    os.close(ours)
    assert b"\x1b[?1049h" in seen  # the alternate screen, so that the shell's text stays


def test_exactly_the_processes_at_the_urls_are_shown(job: ServedJob, file: str) -> None:
    now = json_of(hopper("top", file, "--once", "--json", "--url", job.url), "top")

    assert [(one["url"], one["missing"]) for one in now["processes"]] == [(job.url, None)]
    assert now["healthy"]


def test_a_job_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    [free] = free_ports(1)
    file.write_text(
        "{version: 1, name: absent, source: {memory: {}}, aggregate: {window: {time: 1s}}, "
        f"sink: {{memory: {{}}}}, metrics: {{port: {free}}}}}"
    )

    result = hopper("top", str(file))

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: no process of absent answers on 127.0.0.1, ports ")
    assert "is it running here? --url names one elsewhere" in result.err
