"""Local services are found again, private ones are separate, and data survives a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from tools.local.distribution import SHA256
from tools.local.elasticsearch import ElasticsearchServer
from tools.local.rabbitmq import RabbitMQServer

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    monkeypatch.delenv("ELASTICSEARCH_URL", raising=False)


@pytest.fixture(scope="module")
def own_rabbitmq() -> Iterator[RabbitMQServer]:
    with RabbitMQServer("services", settings={"consumer_timeout": "123456"}) as server:
        yield server


def test_starting_again_finds_the_running_services() -> None:
    """From another folder, by another process: same processes, same URLs."""
    RabbitMQServer().start()
    ElasticsearchServer().start()
    before = RabbitMQServer().pid, ElasticsearchServer().pid

    command = [sys.executable, str(ROOT / "tools" / "services.py"), "start"]
    lines = subprocess.check_output(command, cwd="/", text=True).splitlines()

    assert lines == [
        f"export RABBITMQ_URL={RabbitMQServer().url}",
        f"export ELASTICSEARCH_URL={ElasticsearchServer().url}",
    ]
    assert (RabbitMQServer().pid, ElasticsearchServer().pid) == before


def test_stored_documents_survive_a_kill() -> None:
    """On the same data and the same URL; the shared server is a different one."""
    with ElasticsearchServer("services", fast=True) as server:
        document = f"{server.url}/survivors/_doc/1"
        assert server.url != ElasticsearchServer().start().url
        _call("PUT", document, {"here": True})

        server.kill()
        with pytest.raises(urllib.error.URLError):
            _call("GET", document)

        server.start()
        assert _call("GET", document)["_source"] == {"here": True}


def _call(method: str, url: str, body: object = None) -> dict[str, Any]:
    """Plain JSON, since the client does not support servers of other versions."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        reply: dict[str, Any] = json.load(answer)
        return reply


def test_the_plugin_replaces_missing_modules(index: str) -> None:
    """The first requests of a writing client, and the whole life of a data stream."""
    url = ElasticsearchServer().start().url
    version = _call("GET", url)["version"]
    template = {"index_patterns": [index], "data_stream": {}, "priority": 1}
    _call("PUT", f"{url}/_index_template/{index}", template)
    stream = f"{url}/_data_stream/{index}"

    made = _call("PUT", stream)
    [found] = _call("GET", stream)["data_streams"]
    deleted = _call("DELETE", stream)
    _call("DELETE", f"{url}/_index_template/{index}")

    assert version["number"] in SHA256
    assert made == deleted == {"acknowledged": True}
    assert (found["name"], found["generation"]) == (index, 1)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _call("GET", stream)


def test_persistent_messages_survive_a_restart(own_rabbitmq: RabbitMQServer) -> None:
    def channel() -> pika.adapters.blocking_connection.BlockingChannel:
        parameters = pika.URLParameters(own_rabbitmq.url)
        return pika.BlockingConnection(parameters).channel()

    first = channel()
    first.confirm_delivery()
    first.queue_declare("survivors", durable=True)
    first.basic_publish("", "survivors", b"here", pika.BasicProperties(delivery_mode=2))
    first.connection.close()

    own_rabbitmq.restart()

    second = channel()
    assert second.basic_get("survivors", auto_ack=True)[2] == b"here"
    second.connection.close()


def test_a_private_node_has_its_own_settings_and_is_not_the_shared_one(
    own_rabbitmq: RabbitMQServer,
) -> None:
    assert "{consumer_timeout,123456}" in own_rabbitmq.ctl("environment")
    shared = RabbitMQServer().start()
    assert own_rabbitmq.ctl("eval", "os:getpid().").strip() == f'"{own_rabbitmq.pid}"'
    assert shared.ctl("eval", "os:getpid().").strip() == f'"{shared.pid}"'


def test_everything_listens_on_loopback_only(own_rabbitmq: RabbitMQServer) -> None:
    """The port mapper too, and the port for connections between nodes."""
    own_ports = {f"{port:04X}" for port in own_rabbitmq.ports}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if port in own_ports and line.split()[3] == "0A":  # the kernel's number for listening
                found.add((port, address))

    assert {port for port, _ in found} == own_ports
    assert {address for _, address in found} <= {"0100007F", "00000000000000000000000001000000"}


def test_a_started_service_outlives_the_shell(tmp_path: Path) -> None:
    """It belongs to no session of a terminal."""
    pid = RabbitMQServer().start().pid
    assert pid is not None

    assert os.getsid(pid) != os.getsid(0)
