"""RabbitMQ for the demo: publishes the events of the shop, and reads the parked messages.

It shares no code with the job, like other publishers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pika
from pika.exceptions import AMQPError

from connectors.url import without_password
from tools.demo.shop import ShopEvent
from tools.demo.trouble import DemoTrouble


class Parked(NamedTuple):
    """A message that will never be stored."""

    id: str
    reason: str
    """In the words of the service that refused it."""


class DemoBroker:
    """A connection to RabbitMQ, and the two queues of the demo on it."""

    def __init__(self, url: str, queue: str) -> None:
        """Connect, and delete all messages of the queue and all parked ones.

        Raises:
            DemoTrouble: the queue has a consumer already; or RabbitMQ cannot be reached, which
                every method may raise.
        """
        self._place = without_password(url)
        self._queue, self._parking = queue, f"{queue}.parked"
        with self._translated():
            self._connection = pika.BlockingConnection(pika.URLParameters(url))
            self._channel = self._connection.channel()
            self._publishing = self._connection.channel()
            self._publishing.tx_select()
            if self._channel.queue_declare(queue, durable=True).method.consumer_count:
                raise DemoTrouble(
                    f"The queue {queue} has a consumer already: another demo is running, or the "
                    "job of one that was killed."
                )
            self._delete_queues()
            self._channel.queue_declare(queue, durable=True)

    def __enter__(self) -> DemoBroker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.is_open:
            with self._translated():
                self._delete_queues()
                self._connection.close()

    def publish(self, events: Sequence[ShopEvent]) -> None:
        """Publish the events, and return when all of them are in the queue, and on disk.

        A transaction confirms many messages at once; publisher confirms would be one for each.
        """
        if not events:
            return
        with self._translated():
            for event in events:
                properties = pika.BasicProperties(
                    app_id="shop",
                    content_type="application/json",
                    delivery_mode=pika.DeliveryMode.Persistent.value,
                    message_id=event.id,
                    timestamp=int(time.time()),
                    type=event.type,
                )
                self._publishing.basic_publish("", self._queue, event.body, properties)
            self._publishing.tx_commit()

    def wait(self, seconds: float) -> None:
        """Let time pass, and answer heartbeats meanwhile."""
        with self._translated():
            self._connection.sleep(seconds)

    def take_parked(self) -> list[Parked]:
        """Take all parked messages out of their queue, which the job has declared."""
        parked: list[Parked] = []
        with self._translated():
            while True:
                method, properties, _ = self._channel.basic_get(self._parking, auto_ack=True)
                if method is None:
                    return parked
                reason = properties.headers["x-hopper-reason"]
                parked.append(Parked(properties.message_id, reason))

    def _delete_queues(self) -> None:
        self._channel.queue_delete(self._queue)
        self._channel.queue_delete(self._parking)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (AMQPError, OSError) as error:
            # Some of pika's errors have no text, but contain another error that has one.
            raise DemoTrouble(f"RabbitMQ at {self._place}: {str(error) or repr(error)}") from error
