"""The unchanged `pipeline.yaml` takes the messages of the producer in RabbitMQ's tutorial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("fixed_names")]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[BlockingChannel]:
    """With a `task_queue`, since the tutorial uses this name."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("task_queue", durable=True).method
        if queue.message_count or queue.consumer_count:
            pytest.skip("task_queue on this broker is in use")
        yield channel
        channel.queue_delete("task_queue")
        channel.queue_delete("task_queue.parked")


class Greetings:
    """The documents of this test in the index `events`, and no others."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/events"
        self._since = datetime.now(UTC).isoformat(timespec="milliseconds")

    def found(self) -> list[dict[str, Any]]:
        """The documents that a reader finds now."""
        self._post("/_refresh?ignore_unavailable=true")
        query = {"size": 100, "query": {"range": {"@timestamp": {"gte": self._since}}}}
        try:
            answer = self._post("/_search?ignore_unavailable=true", json.dumps(query))
        except HTTPError as error:
            if error.code != 503:
                raise
            return []  # an index that is being created cannot be searched yet
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits

    def delete(self) -> None:
        lines = [json.dumps({"delete": {"_id": hit["_id"]}}) for hit in self.found()]
        if lines:
            self._post("/_bulk", "\n".join([*lines, ""]))

    def _post(self, path: str, body: str = "") -> Any:
        request = urllib.request.Request(
            self._url + path, body.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture
def greetings(elasticsearch_url: str) -> Iterator[Greetings]:
    greetings = Greetings(elasticsearch_url)
    yield greetings
    greetings.delete()


def test_forty_greetings_become_forty_documents(
    channel: BlockingChannel,
    greetings: Greetings,
    rabbitmq_url: str,
    elasticsearch_url: str,
    tmp_path: Path,
) -> None:
    """Persistent, to the default exchange, without a content type; the queue is then empty."""
    for _ in range(40):
        channel.basic_publish(
            exchange="",
            routing_key="task_queue",
            body=b"Hello World!",
            properties=pika.BasicProperties(delivery_mode=2),
        )
    environment = {key: value for key, value in os.environ.items() if key != "HOPPER_PIPELINE"}
    environment |= {"RABBITMQ_URL": rabbitmq_url, "ELASTICSEARCH_URL": elasticsearch_url}
    log = tmp_path / "job.log"

    with log.open("w") as file:
        job = subprocess.Popen(
            [sys.executable, "-m", "bytewax.run", "flows.pipeline"],
            cwd=ROOT,
            env=environment,
            stderr=file,
        )
    try:
        until(lambda: len(greetings.found()) >= 40)
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == 0, log.read_text()
    finally:
        job.kill()
        job.wait()

    documents = [hit["_source"] for hit in greetings.found()]
    assert [document["message"] for document in documents] == ["Hello World!"] * 40
    for document in documents:
        assert document.keys() == {"message", "@timestamp"}
        datetime.strptime(document["@timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert channel.queue_declare("task_queue", passive=True).method.message_count == 0
