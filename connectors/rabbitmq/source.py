"""RabbitMQ as a `connectors.connector.Source`: its consumers, and a first look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.errors import Unavailable
from connectors.message import Message, Properties
from connectors.rabbitmq import topology
from connectors.rabbitmq.client import RabbitMQConsumer
from connectors.rabbitmq.credentials import Credentials, Specs
from connectors.rabbitmq.link import Link, Preparation
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff


class RabbitMQ:
    """The consumers of one queue."""

    def __init__(
        self,
        spec: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter | None,
        workers: int,
        read_again: Callable[[], Specs] | None = None,
    ) -> None:
        """`workers` of the whole cluster: with `consumers: auto` each gets a consumer.

        `read_again` is called, on any thread, when the broker does not let us in any more: it reads
        both specs from where they came from, and may raise `HopperError`. Of them the URLs count.
        """
        self._spec, self._dead_letter = spec, dead_letter
        self._credentials = Credentials(read_again)
        count = spec.consumer_count(workers)
        self._names = [f"{spec.queue}/{number:03d}" for number in range(count)]
        self._consumers: dict[str, RabbitMQConsumer] = {}
        self._others = 0  # before any of ours has looked

    def consumers(self) -> list[str]:
        """See `Source`."""
        return self._names

    def consumer(self, name: str) -> RabbitMQConsumer:
        """See `Source`."""
        if name not in self._consumers:
            self._consumers[name] = RabbitMQConsumer(
                name, self._spec, self._dead_letter, self._credentials
            )
        return self._consumers[name]

    def unacknowledged(self) -> int:
        """See `Source`."""
        return sum(consumer.unacknowledged for consumer in self._consumers.values())

    def stopped_because(self) -> list[str]:
        """See `Source`."""
        stopped = [(c.name, c.rejections.stopped_because) for c in self._consumers.values()]
        return [f"{name}: {why}" for name, why in stopped if why]

    def disconnected_because(self) -> dict[str, str]:
        """See `Source`."""
        consumers = self._consumers.values()
        return {c.name: c.reach.lost_because for c in consumers if c.reach.lost_because}

    def refused_because(self) -> str:
        """See `Source`."""
        refused = [c.reach.refused for c in self._consumers.values() if c.reach.refused]
        return f"RabbitMQ, {'; '.join(refused)}" if refused else ""

    def other_consumers(self) -> int:
        """See `Source`."""
        if (
            not self._spec.can_change_prefetch
        ):  # each reads a stream whole, or one of them at a time
            return 0
        counts = [c.consumer_count.count for c in self._consumers.values()]
        return max(0, max(counts) - len(self._names)) if any(counts) else self._others

    def check(self) -> None:
        """See `Source`; tries five times, to bridge a broker that is just starting.

        What the broker refuses for good, at all of the URLs, it is asked once.
        """
        preparations = topology.of_source(self._spec)
        self._others = _FirstLook(self._spec.url, preparations, self._spec.queue).take()
        if self._dead_letter is not None:
            urls = self._dead_letter.url or self._spec.url
            _FirstLook(urls, topology.of_dead_letter(self._dead_letter), None).take()

    def properties(self, message: Message) -> Properties:
        """See `Source`."""
        return decode(message)


class _FirstLook:
    """Connects once, and asks for what the consumers will ask for again."""

    TRIES = 5
    WAIT = Backoff(0.25, 2.0)

    def __init__(
        self, urls: Sequence[str], preparations: Sequence[Preparation], queue: str | None
    ) -> None:
        """`queue`: the one whose consumers are counted."""
        self._queue, self._consumers = queue, 0
        self._loop = IOLoop()
        self._link = Link(self._loop, urls, "hopper check", preparations, self, self.WAIT)
        self._urls, self._failures = len(urls), list[str]()
        self._refused: dict[str, None] = {}

    def take(self) -> int:
        """Look; return how many consumers the queue has."""
        try:
            self._link.open()
            self._loop.start()
        except (OSError, ValueError, SyntaxError) as error:
            # What follows the ? of a URL is read by pika, certificates among it.
            raise Unavailable(f"RabbitMQ, {self._link.place}: {error}") from None
        finally:
            self._loop.close()
        if len(self._refused) >= self._urls:
            raise Unavailable(f"RabbitMQ, {'; '.join(self._refused)}")
        if len(self._failures) >= self.TRIES:
            places = "; ".join(dict.fromkeys(self._failures))
            raise Unavailable(f"RabbitMQ, after {self.TRIES} tries: {places}")
        return self._consumers

    def link_ready(self, _connection: BatchConnection, channel: Channel) -> None:
        if self._queue is None:
            self._link.close(self._loop.stop)
        else:
            channel.queue_declare(self._queue, passive=True, callback=self._counted)

    def _counted(self, answer: Any) -> None:
        self._consumers = answer.method.consumer_count
        self._link.close(self._loop.stop)

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        if was_ready:
            return
        self._failures.append(f"{self._link.place}: {reason}")
        if remedy:
            self._refused[f"{self._failures[-1]}: {remedy}"] = None
        if len(self._failures) >= self.TRIES or len(self._refused) >= self._urls:
            self._link.close(self._loop.stop)
