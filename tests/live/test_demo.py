"""`make demo` on real services."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pika
import pytest

from tests.waiting import until
from tools.demo.job import ROOT

pytestmark = pytest.mark.live


@pytest.fixture
def environment(
    fixed_names: None, rabbitmq_url: str, elasticsearch_url: str, tmp_path: Path
) -> dict[str, str]:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        # RabbitMQ notices a moment later that the consumer of the test before is gone.
        until(lambda: channel.queue_declare("hopper-demo", durable=True).method.consumer_count == 0)
    return {
        **os.environ,
        "RABBITMQ_URL": rabbitmq_url,
        "ELASTICSEARCH_URL": elasticsearch_url,
        "TMPDIR": str(tmp_path),
    }


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # Tests that run in the background may inherit that Ctrl-C is ignored.
        ["env", "--default-signal=INT", sys.executable, "-m", "tools.demo", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_event_of_the_demo_arrives(environment: dict[str, str], tmp_path: Path) -> None:
    """The demo says so, with the numbers of Elasticsearch, and leaves no file behind."""
    demo = start(environment, "--events", "3000", "--seconds", "4")

    output, _ = demo.communicate(timeout=60)

    assert demo.returncode == 0, output
    assert "Elasticsearch has 2,995 documents" in output
    assert "has ended with exit code 0" in output
    assert "3,000 published, 2,995 stored + 5 parked: nothing is lost" in output
    lines = output.splitlines()
    shown = "\n".join(line for line in lines if not re.search(" (WARNING|ERROR) ", line))
    assert len(re.findall(r"document_parsing_exception", shown)) == 3
    assert len(re.findall(r"unreadable: not a JSON object", shown)) == 2
    assert re.search(r"completed by +windows\n.* count +\d", output)
    assert not list(tmp_path.iterdir())


def test_the_demo_does_not_start_beside_another(
    environment: dict[str, str], rabbitmq_url: str
) -> None:
    """Its sums would be wrong; and it deletes no queue in use."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.queue_declare("hopper-demo", durable=True)
        channel.basic_consume("hopper-demo", lambda *_: None)

        demo = start(environment)
        output, _ = demo.communicate(timeout=30)

        assert demo.returncode == 1
        assert "another demo is running" in output
        assert "Traceback" not in output
        channel.queue_delete("hopper-demo")


def test_ctrl_c_ends_the_demo_and_its_job(environment: dict[str, str], tmp_path: Path) -> None:
    """In order, and without a traceback."""
    with start(environment, "--events", "3000", "--seconds", "60") as demo:
        assert demo.stdout
        lines = iter(demo.stdout.readline, "")
        started = []
        for line in lines:
            started.append(line)
            if re.search(r"stored +[1-9]", line):
                break
        else:
            pytest.fail("the demo has ended early:\n" + "".join(started))

        demo.send_signal(signal.SIGINT)

        rest = "".join(lines)
    assert demo.returncode == 130
    assert "Stopped early" in rest
    assert "Traceback" not in rest
    assert not list(tmp_path.iterdir())
