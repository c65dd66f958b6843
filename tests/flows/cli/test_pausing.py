"""`hopper pause` and `hopper resume`, against a port of this process."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.process.server import serve
from tests.flows.cli.command import hopper, json_of
from tools.local.ports import free_ports

SPEC = """
version: 1
name: {job}
source: {{memory: {{}}}}
aggregate: {{window: {{time: 1s}}}}
sink: {{memory: {{}}}}
{metrics}
"""


@pytest.fixture
def done() -> list[str]:
    """The commands that were carried out."""
    return []


@pytest.fixture
def start(done: list[str]) -> Callable[[str, int], str]:
    """Serve the port of a process of a job."""

    def start(job: str, port: int) -> str:
        pages = {"/health": lambda: (False, {"job": job})}
        commands = {path: lambda path=path: done.append(path) for path in ("/pause", "/resume")}
        return serve("127.0.0.1", port, pages, commands)

    return start


def spec(folder: Path, metrics: str, job: str = "orders") -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(SPEC.format(job=job, metrics=metrics))
    return path


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_all_processes_of_the_job_are_asked_and_no_others(
    command: str, done: list[str], start: Callable[[str, int], str], tmp_path: Path
) -> None:
    """Also one that is not healthy; jobs share the ports of a machine."""
    [port] = free_ports(1)
    job = f"orders-{port}"  # the ports of an earlier test of this process still answer
    first, _, third = start(job, port), start("others", port), start(job, port)
    path = spec(tmp_path, f"metrics: {{port: {port}}}", job)

    result = json_of(hopper(command, "--json", str(path)), command)

    assert result == {"job": job, "paused": command == "pause", "processes": [first, third]}
    assert done == [f"/{command}"] * 2
    as_text = hopper(command, str(path))
    assert as_text.out == f"{command}d 2 processes of {job}: {first}, {third}\n"


def test_a_process_of_another_job_is_not_paused(
    done: list[str], start: Callable[[str, int], str], tmp_path: Path
) -> None:
    url = start("others", free_ports(1)[0])
    path = spec(tmp_path, "metrics: {port: 9100, token: '${TOKEN}'}")

    result = hopper("pause", str(path), "--url", url, environment={"TOKEN": "secret"})

    assert (result.code, done) == (1, [])
    assert result.err == f"error: {url} is a process of 'others', not of orders\n"


def test_another_machine_needs_the_token(tmp_path: Path) -> None:
    """Which is a variable that is not set."""
    path = spec(tmp_path, "metrics: {port: 9100, token: '${TOKEN}'}")

    result = hopper("pause", str(path), "--url", "http://orders-1:9100")

    assert result.code == 2
    assert "metrics.token: TOKEN has no value" in result.err


def test_an_address_without_a_scheme_is_no_url(tmp_path: Path) -> None:
    result = hopper("pause", str(spec(tmp_path, "")), "--url", "orders-1:9100")

    assert result.code == 2
    assert "must be a URL; write http://orders-1:9100" in result.err


def test_a_url_without_a_process_is_an_error(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    result = hopper("pause", str(spec(tmp_path, "")), "--url", url)

    assert result.code == 1
    assert result.err == f"error: {url} does not answer as a process of orders does\n"


def test_a_server_of_another_protocol_is_no_process(tmp_path: Path) -> None:
    """Such as one that shares the range of ports."""

    class OtherProtocol(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"This is not an HTTP port")

    with socketserver.TCPServer(("127.0.0.1", 0), OtherProtocol) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        result = hopper("pause", str(spec(tmp_path, "")), "--url", url)

    assert result.err == f"error: {url} does not answer as a process of orders does\n"


def test_a_job_without_a_port_is_told_how_to_get_one(tmp_path: Path) -> None:
    result = hopper("resume", str(spec(tmp_path, "")))

    assert result.code == 1
    assert result.err == "error: orders has no port: add metrics: {port: 9100} to its file\n"
