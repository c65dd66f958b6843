"""RabbitMQ as a `connectors.connector.Source`: its consumers, and the check at the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pika.channel import Channel

from connectors.message import Message, Properties
from connectors.rabbitmq import topology
from connectors.rabbitmq.client import RabbitMQConsumer
from connectors.rabbitmq.credentials import Credentials, Specs
from connectors.rabbitmq.link import Preparation
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.visit import Visit
from connectors.rabbitmq.wire import BatchConnection


class RabbitMQ:
    """The consumers of one queue."""

    def __init__(
        self,
        spec: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter | None,
        workers: int,
        reload: Callable[[], Specs] | None = None,
    ) -> None:
        """`workers`: of the whole cluster; with `consumers: auto`, each has a consumer.

        `reload` reads both specs again when the broker refuses the login; only their URLs are used.
        It may raise `HopperError`, and is called on any thread.
        """
        self._spec, self._dead_letter = spec, dead_letter
        self._credentials = Credentials(reload)
        count = spec.consumer_count(workers)
        self._names = [f"{spec.queue}/{number:03d}" for number in range(count)]
        self._consumers: dict[str, RabbitMQConsumer] = {}
        self._others = 0  # other consumers of the queue, by the check at the start

    def consumers(self) -> list[str]:
        """See `Source`."""
        return self._names

    def consumer(self, name: str) -> RabbitMQConsumer:
        """See `Source`."""
        if name not in self._consumers:
            self._consumers[name] = RabbitMQConsumer(
                name, self._spec, self._dead_letter, self._credentials, self._memory_of_each
            )
        return self._consumers[name]

    def _memory_of_each(self) -> int:
        """Bytes for each consumer of this process."""
        return self._spec.memory // len(self._consumers)

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
        if not self._spec.can_change_prefetch:  # other consumers take none of its messages
            return 0
        counts = [c.consumer_count.count for c in self._consumers.values()]
        return max(0, max(counts) - len(self._names)) if any(counts) else self._others

    def check(self) -> None:
        """See `Source`; it tries five times, since a broker may just be starting.

        If the broker refuses a request for good at all URLs, there is no second attempt.
        """
        preparations = topology.of_source(self._spec)
        self._others = _StartupCheck(self._spec.url, preparations, self._spec.queue).run()
        if self._dead_letter is not None:
            urls = self._dead_letter.url or self._spec.url
            _StartupCheck(urls, topology.of_dead_letter(self._dead_letter), None).run()

    def properties(self, message: Message) -> Properties:
        """See `Source`."""
        return decode(message)


class _StartupCheck:
    """Connects once, and makes the same preparations as the consumers."""

    def __init__(
        self, urls: Sequence[str], preparations: Sequence[Preparation], queue: str | None
    ) -> None:
        """`queue`: count the consumers of this queue; `None`: of none."""
        self._queue, self._consumers = queue, 0
        self._visit = Visit(urls, "hopper check", preparations)

    def run(self) -> int:
        """Run the check; return how many consumers the queue has.

        Raises:
            Unavailable: the broker cannot be reached, or refuses.
        """
        self._visit.make(self._connected)
        return self._consumers

    def _connected(self, _connection: BatchConnection, channel: Channel) -> None:
        if self._queue is None:
            self._visit.done()
        else:
            channel.queue_declare(self._queue, passive=True, callback=self._counted)

    def _counted(self, answer: Any) -> None:
        self._consumers = answer.method.consumer_count
        self._visit.done()
