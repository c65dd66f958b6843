"""The private servers with a forwarder before each, and the queue and the index of one run."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from operator import methodcaller
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import pika
import urllib3

from tests.chaos.aggregates import MAPPING
from tests.chaos.messages import MARK
from tests.live.firewall import Firewall
from tests.live.forwarder import Forwarder
from tests.live.http_proxy import Page
from tools.local.elasticsearch import ElasticsearchServer
from tools.local.rabbitmq import RabbitMQServer

T = TypeVar("T")

CONSUMER_TIMEOUT = 10
"""Seconds that the broker waits for an acknowledgement."""
BROKER = {"consumer_timeout": f"{CONSUMER_TIMEOUT * 1000}"}
STORE = {
    "thread_pool.write.size": "1",
    "thread_pool.write.queue_size": "8",
    "indexing_pressure.memory.limit": "1mb",
    "http.max_content_length": "256kb",
}
"""Small limits, so that it can be overloaded."""
MAX_ASK_SECONDS = 120
"""More than Elasticsearch needs to start during all other faults."""
HTTP = urllib3.PoolManager(timeout=10)
EXISTS = b"resource_already_exists_exception"


class ChaosWorld:
    """A broker and an Elasticsearch, for one run after the other."""

    def __init__(self) -> None:
        self.broker = RabbitMQServer("chaos", settings=BROKER)
        self.store = ElasticsearchServer("chaos", settings=STORE, fast=True)
        self._open = ExitStack()
        self.queue = self.index = ""

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(self.broker)
            opening.enter_context(self.store)
            self.broker_front = opening.enter_context(_before(self.broker.url))
            firewall = opening.enter_context(Firewall(self.store.url, MARK, Page(403)))
            self.store_front = opening.enter_context(_before(firewall.url))
            self._open = opening.pop_all()
        self.look_often()
        self.ask("PUT", "/neighbour", {"settings": {"number_of_replicas": 0}})
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def broker_url(self) -> str:
        """The URL through the forwarder."""
        return f"amqp://guest:guest@127.0.0.1:{self.broker_front.port}/"

    @property
    def store_url(self) -> str:
        """Through the forwarder."""
        return f"http://127.0.0.1:{self.store_front.port}"

    def begin(self) -> None:
        """Make a queue and an index for the next run."""
        self.queue = self.index = f"chaos-{uuid.uuid4()}"
        self.at_broker(lambda channel: channel.queue_declare(self.queue, durable=True))
        self.ask("PUT", f"/{self.index}", {"mappings": MAPPING})

    def end(self) -> None:
        """Delete both."""
        for queue in (self.queue, f"{self.queue}.parked"):
            self.at_broker(lambda channel, queue=queue: channel.queue_delete(queue))  # type: ignore[misc]
        self.ask("DELETE", f"/{self.index}")

    def look_often(self) -> None:
        """Let the broker check the consumer timeout each second, instead of each minute."""
        self.broker.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 1000).")

    def held(self) -> int:
        """Messages of the queue, including unacknowledged ones."""
        for line in self.broker.ctl("list_queues", "name", "messages").splitlines():
            name, _, count = line.partition("\t")
            if name == self.queue:
                return int(count)
        raise LookupError(self.queue)

    def waiting(self) -> int:
        """Messages of the queue that no consumer holds."""
        declare = methodcaller("queue_declare", self.queue, passive=True)
        count: int = self.at_broker(declare).method.message_count
        return count

    def at_broker(self, ask: Callable[[Any], T]) -> T:
        """Ask the broker directly, without the forwarder."""
        with pika.BlockingConnection(pika.URLParameters(self.broker.url)) as connection:
            return ask(connection.channel())

    def unblock(self) -> None:
        """Remove all write blocks of the index.

        If Elasticsearch is killed while it removes a block, the block stays.
        """
        names = ("blocks.write", "blocks.read_only_allow_delete", "default_pipeline")
        settings = {f"index.{name}": None for name in names}
        self.ask("PUT", f"/{self.index}/_settings", settings)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Elasticsearch directly, without the forwarder."""
        deadline = time.monotonic() + MAX_ASK_SECONDS
        while True:
            try:
                answer = HTTP.request(method, self.store.url + path, json=body, retries=False)
                # It already exists if the answer to an earlier attempt came too late.
                if answer.status < 300 or EXISTS in answer.data:
                    return json.loads(answer.data)
                answered = f"{answer.status} {answer.data!r}"
            except urllib3.exceptions.HTTPError as error:
                answered = f"{error}"
            assert time.monotonic() < deadline, f"{method} {path}: {answered}"
            time.sleep(0.2)


def _before(url: str) -> Forwarder:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return Forwarder(parts.hostname, parts.port)
