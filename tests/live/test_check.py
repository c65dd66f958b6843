"""`hopper check --connect`: what broker and cluster report; nothing is created or consumed."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.survey import survey
from tests.flows.cli.command import hopper, hopper_process, json_of
from tests.live.indices import Index
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live

USER = "clerk"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker("checking") as broker:
        broker.ctl("add_user", USER, "secret")
        yield broker


@pytest.fixture(params=["classic", "quorum", "stream"])
def rig(request: pytest.FixtureRequest, broker: Broker) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(broker.url, **{"x-queue-type": request.param}) as rig:
        yield rig


def surveyed(
    rig: RabbitMQRig, permissions: tuple[str, str, str] = (".*", ".*", ".*"), **options: Any
) -> dict[str, tuple[bool | None, str]]:
    """The findings for a user with these permissions, by their subject."""
    dead_letter = options.pop("dead_letter", RabbitMQDeadLetter(routing_key=rig.parking))
    url = f"amqp://{USER}:secret@{urlsplit(rig.url).netloc.rpartition('@')[2]}/"
    source = RabbitMQSource.model_validate({"url": url, "queue": rig.queue, **options})
    found = survey(source, dead_letter, 10)
    return {one.subject.replace(rig.queue, "Q"): (one.ok, one.text) for one in found}


def test_a_queue_exists_and_nothing_is_consumed(
    broker: Broker, rig: RabbitMQRig, request: pytest.FixtureRequest
) -> None:
    broker.ctl("set_permissions", USER, ".*", ".*", ".*")
    rig.publish(b"one", b"two")

    found = surveyed(rig)

    assert {subject: ok for subject, (ok, _) in found.items()} == {
        "RabbitMQ": True,
        "queue Q": True,
        "reading queue Q": True,
        "queue Q.parked of dead letters": True,
        "publishing dead letters": True,
    }
    assert found["queue Q.parked of dead letters"][1] == (
        "does not exist: the job declares it at the start"
    )
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        rig.connection.channel().queue_declare(rig.parking, passive=True)
    if request.node.callspec.params["rig"] == "stream":
        return  # which neither counts nor delivers single messages
    assert rig.left() == 2
    method, _, _ = rig.channel.basic_get(rig.queue)
    assert not method.redelivered


def test_all_missing_permissions_are_reported_at_once(broker: Broker, rig: RabbitMQRig) -> None:
    broker.ctl("set_permissions", USER, "^$", "^$", ".*parked$")
    declare = {"arguments": {"x-queue-type": "classic"}, "bind": [{"exchange": "nowhere"}]}

    found = surveyed(rig, declare=declare)

    for subject, remedy in {
        "queue Q": "",
        "declare of queue Q": "permission to configure the queue",
        "reading queue Q": "permission to read the queue source.rabbitmq.queue",
        "exchange nowhere": "create the exchange, or correct source.rabbitmq.declare.bind",
        "publishing dead letters": "permission to write to the default exchange",
    }.items():
        ok, result = found[subject]
        assert ok is (not remedy), result
        assert remedy in result


def test_a_queue_with_other_arguments_is_reported(broker: Broker, rig: RabbitMQRig) -> None:
    broker.ctl("set_permissions", USER, ".*", ".*", ".*")

    ok, result = surveyed(rig, declare={"durable": True, "arguments": {"x-max-length": 5}})[
        "declare of queue Q"
    ]

    assert ok is False
    assert "the queue exists with other properties" in result


def test_a_missing_queue_is_reported(broker: Broker, rig: RabbitMQRig) -> None:
    """Unless the job declares it."""
    broker.ctl("set_permissions", USER, ".*", ".*", ".*")
    rig.channel.queue_delete(rig.queue)

    ok, result = surveyed(rig)["queue Q"]
    assert ok is False
    assert "create the queue, or let the job declare it" in result
    assert surveyed(rig, declare={})["queue Q"][0] is True
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        rig.connection.channel().queue_declare(rig.queue, passive=True)
    rig.reconnect()


def test_a_refused_login_is_reported_without_the_password(rig: RabbitMQRig) -> None:
    url = rig.url.replace("guest:guest", "guest:s3cret")
    source = RabbitMQSource.model_validate({"url": url, "queue": rig.queue})

    [found] = survey(source, None, 10)

    assert found.ok is False
    assert "correct user and password in the URL" in found.text
    assert "s3cret" not in found.text


SAMPLE = b'{"n":1}\n\n{"n":"poison"}\n{"n":"bad"}\n'


@pytest.fixture
def pipeline(rabbitmq_url: str, events: Index, tmp_path: Path) -> Iterator[Path]:
    events.create({"n": {"type": "integer"}})
    (tmp_path / "sample.ndjson").write_bytes(SAMPLE)
    with rabbitmq_rig(rabbitmq_url) as rig:
        yield spec(tmp_path, rig, events)


def test_a_sample_is_tried_and_not_stored(pipeline: Path, events: Index) -> None:
    command = ("check", "--connect", "--sample", "sample.ndjson", pipeline.name)
    result = hopper(*command, folder=pipeline.parent)

    assert result.code == 1
    assert f"ok      index {events.name}: is an index\n" in result.out
    [line] = [line for line in result.out.splitlines() if "sample: " in line]
    assert line.startswith("  not ok  sample: line 3, and 1 more like it: document_parsing_except")
    assert events.count() == 0

    (pipeline.parent / "sample.ndjson").write_bytes(SAMPLE.splitlines()[0])
    result = hopper(*command, "--json", folder=pipeline.parent)
    assert result.code == 0
    findings = json_of(result, "check")["files"][0]["findings"]
    assert [one["ok"] for one in findings] == [True] * len(findings)
    assert findings[-1]["text"] == "all 1 documents fit, by simulation"


def test_a_check_that_is_not_possible_is_one_sentence(pipeline: Path) -> None:
    def result(*arguments: str) -> str:
        done = hopper("check", *arguments, pipeline.name, folder=pipeline.parent)
        assert done.code == 2
        return done.err + done.out

    assert "--sample needs --connect" in result("--sample", "sample.ndjson")
    assert "--sample nowhere: cannot be read: No such file" in result(
        "--connect", "--sample", "nowhere"
    )
    (pipeline.parent / "sample.ndjson").write_bytes(b'{"n":1}\n[]\n')
    assert "--sample sample.ndjson:2: no JSON object" in result(
        "--connect", "--sample", "sample.ndjson"
    )
    assert "must be a number and a unit" in result("--connect", "--timeout", "soon")
    pipeline.write_text(pipeline.read_text().replace("queue: test", "queue: ${NOT_SET}"))
    assert "source.rabbitmq.queue: NOT_SET has no value: set it" in result("--connect")


def test_a_silent_broker_has_a_limited_time(pipeline: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://127.0.0.1:{silent.getsockname()[1]}/"
        pipeline.write_text(re.sub("amqp://.*", url, pipeline.read_text()))

        # In a process of its own, whose end also ends the connection that is still opening.
        result = hopper_process(
            "check", "--connect", "--timeout", "1s", pipeline.name, folder=pipeline.parent
        )

    assert result.code == 1
    assert "not ok  RabbitMQ: not done within 1 s" in result.out


def test_services_that_are_down_are_reported(pipeline: Path) -> None:
    text = pipeline.read_text()
    nowhere = "http://127.0.0.1:1"
    found = [line for line in text.splitlines() if line.startswith("    url: http")]
    pipeline.write_text(text.replace(found[0], f"    url: {nowhere}"))

    result = hopper("check", "--connect", pipeline.name, folder=pipeline.parent)

    assert result.code == 1
    assert f"not ok  Elasticsearch: at {nowhere} takes no documents now" in result.out
    assert "Traceback" not in result.err


def test_the_output_is_json_for_programs(pipeline: Path) -> None:
    """For programs such as `jq`."""
    result = hopper("check", "--connect", "--json", pipeline.name, folder=pipeline.parent)
    done = subprocess.run(
        ["python3", "-c", "import json, sys; print(json.load(sys.stdin)['valid'])"],
        input=result.out,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, json.loads(result.out)["files"][0]["notes"]) == ("True\n", [])
