"""A queue on a real broker, reached through a forwarder, for live tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pika

from connectors.connector import Source
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.spec import DEFAULT_MEMORY
from tests.live.forwarder import Forwarder


class RabbitMQRig:
    """A queue of its own on a real broker, reached through a forwarder."""

    def __init__(self, url: str, forwarder: Forwarder, arguments: dict[str, Any]) -> None:
        parts = urlsplit(url)
        self.url = parts._replace(
            netloc=f"{parts.username}:{parts.password}@127.0.0.1:{forwarder.port}"
        ).geturl()
        self._forwarder = forwarder
        self.direct_url = url
        self.connection: Any = None
        self.queue = f"test-{uuid.uuid4()}"
        self.parking = f"{self.queue}.parked"
        self.reconnect()
        self.channel.queue_declare(self.queue, durable=True, arguments=arguments)
        self._more: list[str] = []
        self._parked: list[tuple[bytes, pika.BasicProperties]] = []

    def reconnect(self) -> None:
        """Connect without the forwarder; also after a restart of the broker."""
        if self.connection is not None:
            with suppress(pika.exceptions.AMQPError):
                self.connection.close()
        self.connection = pika.BlockingConnection(pika.URLParameters(self.direct_url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def spec(self, **options: Any) -> RabbitMQSource:
        return RabbitMQSource.model_validate({"url": self.url, "queue": self.queue, **options})

    def source(
        self, consumers: int = 1, prefetch: int | None = 100, memory: int = DEFAULT_MEMORY
    ) -> Source:
        dead_letter = RabbitMQDeadLetter(routing_key=self.parking)
        given = {"memory": memory} | ({} if prefetch is None else {"prefetch": prefetch})
        return RabbitMQ(self.spec(consumers=consumers, **given), dead_letter, workers=1)

    def publish(self, *bodies: bytes, properties: pika.BasicProperties | None = None) -> None:
        # Many messages are not confirmed one by one: a quorum queue takes milliseconds for each.
        channel = self.channel if len(bodies) < 1000 else self.connection.channel()
        for body in bodies:
            channel.basic_publish("", self.queue, body, properties)

    def more_queues(self, count: int, separator: str = ".", **arguments: Any) -> list[str]:
        """Declare `queue.0`, `queue.1`, …; they are deleted with the rig."""
        names = [f"{self.queue}{separator}{number}" for number in range(count)]
        for name in names:
            self.channel.queue_declare(name, durable=True, arguments=arguments)
        self._more += names
        return names

    def several(self, queues: int) -> Source:
        spec = self.spec(queue=self.more_queues(queues))
        return RabbitMQ(spec, RabbitMQDeadLetter(routing_key=self.parking), workers=1)

    def publish_to(
        self, queue: str, body: bytes, properties: pika.BasicProperties | None = None
    ) -> None:
        self.channel.basic_publish("", queue, body, properties)

    def left(self) -> int:
        return self.left_in(self.queue)

    def left_in(self, queue: str) -> int:
        answer = self.channel.queue_declare(queue, passive=True)
        count: int = answer.method.message_count
        return count

    def offset(self, stream: str = "") -> bytes | None:
        """What the offset queue of the stream keeps, if it exists.

        A job that writes to it is not disturbed: a requeue would drop an offset that was written
        meanwhile, while the end of the channel drops the older one. While the queue is deleted or
        declared, the broker may end the connection.
        """
        with (
            # Not only `ConnectionClosedByBroker`: pika also fails to close such a connection.
            suppress(pika.exceptions.ChannelClosedByBroker, pika.exceptions.AMQPConnectionError),
            closing(pika.BlockingConnection(pika.URLParameters(self.direct_url))) as connection,
        ):
            method, _, body = connection.channel().basic_get(f"{stream or self.queue}.offset")
            return None if method is None else bytes(body)
        return None

    def consumers(self) -> int:
        count: int = self.channel.queue_declare(self.queue, passive=True).method.consumer_count
        return count

    def parked(self) -> list[tuple[bytes, str]]:
        """Take the parked messages out of their queue, if it exists."""
        return [(body, p.headers["x-hopper-reason"]) for body, p in self.parked_whole()]

    def parked_whole(self) -> list[tuple[bytes, pika.BasicProperties]]:
        self.channel.queue_declare(self.parking, durable=True)
        while True:
            method, properties, body = self.channel.basic_get(self.parking, auto_ack=True)
            if method is None:
                return self._parked
            self._parked.append((body, properties))

    def cut(self) -> None:
        assert self._forwarder.cut() > 0

    def swallow(self) -> None:
        assert self._forwarder.swallow() > 0

    def slow(self, delay: float) -> None:
        self._forwarder.slow(delay)

    def close(self) -> None:
        offsets = [f"{name}.offset" for name in self._more]
        for name in (self.queue, self.parking, *self._more, *offsets):
            self.channel.queue_delete(name)
        self.connection.close()


@contextmanager
def rabbitmq_rig(url: str, **arguments: Any) -> Iterator[RabbitMQRig]:
    """A durable queue with these arguments, deleted afterwards."""
    parts = urlsplit(url)
    assert parts.hostname
    with Forwarder(parts.hostname, parts.port or 5672) as forwarder:
        rig = RabbitMQRig(url, forwarder, arguments)
        yield rig
        rig.close()
