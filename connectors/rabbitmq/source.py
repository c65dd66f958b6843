"""RabbitMQ as a `connectors.connector.Source`: its consumers, and the check at the start."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pika.channel import Channel

from connectors.consumer_names import consumer_names, queue_in_name
from connectors.latest_dead_letters import LatestDeadLetter, together
from connectors.message import Message, Properties, Rejected, Run
from connectors.rabbitmq import topology
from connectors.rabbitmq.client import RabbitMQConsumer
from connectors.rabbitmq.credentials import Credentials, Specs
from connectors.rabbitmq.link import Preparation
from connectors.rabbitmq.parker import Parker
from connectors.rabbitmq.properties import decode, runs
from connectors.rabbitmq.read_pause import SHORTEST
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.stream_offsets import offset_in
from connectors.rabbitmq.visit import Visit


class RabbitMQ:
    """The consumers of all queues."""

    def __init__(
        self,
        spec: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter | None,
        workers: int,
        reload: Callable[[], Specs] | None = None,
        collect_seconds: float = SHORTEST,
    ) -> None:
        """`workers`: of the whole cluster; with `consumers: auto`, each has a consumer at least.

        `reload` reads both specs again when the broker refuses the login; only their URLs are used.
        It may raise `HopperError`, and is called on any thread.
        `collect_seconds`: how long messages may collect before they are handed over.
        """
        self._spec, self._dead_letter = spec, dead_letter
        self._collect_seconds = collect_seconds
        self._credentials = Credentials(reload)
        self._queues = consumer_names(spec.queue, spec.consumers_of_each(workers))
        self._of_each = Counter(self._queues.values())  # our consumers in the cluster, by queue
        self._consumers: dict[str, RabbitMQConsumer] = {}
        self._parker: Parker | None = None  # where this process has no consumer
        self._guard = threading.Lock()  # of `_parker`: the shards of several workers may need it
        self._others: Mapping[str, int] = {}  # by queue, as the check at the start has found

    def consumers(self) -> list[str]:
        """See `Source`."""
        return [*self._queues]

    def queue_of(self, consumer: str) -> str:
        """See `Source`."""
        return self._queues[consumer]

    def consumer(self, name: str) -> RabbitMQConsumer:
        """See `Source`."""
        if name not in self._consumers:
            spec = self._spec.of_queue(self._queues[name])
            self._consumers[name] = RabbitMQConsumer(
                *(name, spec, self._dead_letter, self._credentials, self._memory_of_each),
                self._collect_seconds,
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

    def other_consumers(self) -> Mapping[str, int]:
        """See `Source`."""
        if not self._spec.can_change_prefetch:  # other consumers take none of its messages
            return {}
        counted, replaced = Counter[str](), Counter[str]()
        for name, consumer in self._consumers.items():
            queue, counts = self._queues[name], consumer.queue_counts
            counted[queue] = max(counted[queue], counts.consumers)
            replaced[queue] += counts.replaced
        ours = self._of_each + replaced
        others = counted - ours if any(counted.values()) else self._others
        return {queue: count for queue, count in others.items() if count}

    def waiting(self) -> Mapping[str, int]:
        """See `Source`."""
        return {
            self._queues[name]: consumer.queue_counts.waiting
            for name, consumer in self._consumers.items()
            if not consumer.reach.lost_because
        }

    @property
    def offset(self) -> Callable[[Properties], int | None] | None:
        """See `Source`."""
        return offset_in if self._spec.is_stream else None

    def park(self, rejected: Rejected, consumer: str | None, parked: Callable[[], object]) -> None:
        """See `Source`; a consumer of this process publishes it, if possible of the same queue."""
        queue = None if consumer is None else queue_in_name(consumer)
        here = {name: one for name, one in self._consumers.items() if one.started}
        same = [one for name, one in here.items() if self._queues[name] == queue]
        publisher = next(iter(same or here.values()), None) or self._own_parker()
        publisher.park(rejected, queue, parked)

    def _own_parker(self) -> Parker:
        with self._guard:
            if self._parker is None:
                assert self._dead_letter is not None, "a job that keeps state has a dead_letter"
                spec = self._spec.of_queue(self._spec.queue[0])
                self._parker = Parker(spec, self._dead_letter, self._credentials)
            return self._parker

    def close(self) -> None:
        """See `Source`."""
        with self._guard:
            if self._parker is not None:
                self._parker.close()

    def latest_dead_letters(self) -> list[LatestDeadLetter]:
        """See `Source`."""
        parker = () if self._parker is None else (self._parker,)
        those = (*self._consumers.copy().values(), *parker)
        return together(one.rejections.latest for one in those)

    def check(self) -> None:
        """See `Source`; it tries five times, since a broker may just be starting.

        If the broker refuses a request for good at all URLs, there is no second attempt.
        """
        preparations = topology.of_source(self._spec)
        self._others = _StartupCheck(self._spec.url, preparations, self._spec.queue).run()
        if self._dead_letter is not None:
            urls = self._dead_letter.url or self._spec.url
            _StartupCheck(urls, topology.of_dead_letter(self._dead_letter)).run()

    def properties(self, message: Message) -> Properties:
        """See `Source`."""
        return decode(message)

    def runs(self, messages: list[Message]) -> Iterable[Run]:
        """See `Source`."""
        return runs(messages)


class _StartupCheck:
    """Connects once, and makes the same preparations as the consumers."""

    def __init__(
        self, urls: Sequence[str], preparations: Sequence[Preparation], queues: Sequence[str] = ()
    ) -> None:
        """`queues`: count the consumers of these queues."""
        self._queues, self._consumers = [*queues], dict[str, int]()
        self._visit = Visit(urls, "hopper check", preparations)

    def run(self) -> Mapping[str, int]:
        """Run the check; return how many consumers the queues have.

        Raises:
            Unavailable: the broker cannot be reached, or refuses.
        """
        self._visit.make(lambda _connection, channel: self._count(channel))
        return self._consumers

    def _count(self, channel: Channel) -> None:
        if not self._queues:
            self._visit.done()
            return
        queue = self._queues.pop()

        def counted(answer: Any) -> None:
            self._consumers[queue] = answer.method.consumer_count
            self._count(channel)

        channel.queue_declare(queue, passive=True, callback=counted)
