"""A broker in memory with RabbitMQ's guarantees: prefetch, redelivery, void delivery tags.

It has no thread: everything happens within the calls. Faults are methods of `MemoryQueue`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Literal

import msgspec

from connectors import metrics
from connectors.connector import ConsumerEvent, Load
from connectors.current_origin import CurrentOrigin
from connectors.latest_dead_letters import LatestDeadLetters
from connectors.memory.delivery import PLAIN, Delivery, Settled
from connectors.message import (
    Arrived,
    ConsumerCounts,
    Lost,
    Message,
    Opened,
    Origin,
    Outcomes,
    Properties,
    Rejected,
    StreamOpened,
)
from connectors.prefetch import MESSAGE_OVERHEAD, AdaptivePrefetch, Held


class MemoryQueue:
    """One queue; `acknowledged` and `parked` have its settled messages."""

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        """`numbers`: of the messages; the queues of one job share them."""
        self.lock = threading.RLock()
        self._numbers = numbers or count(1)
        self.waiting: deque[Delivery] = deque()
        self.published = 0
        self.acknowledged: list[bytes] = []
        self.parked: list[Rejected] = []
        self.settled: list[Settled] = []
        """All settled messages, in order."""
        self.consumers: list[MemoryConsumer] = []
        self.stream: str | None = None
        """See `StreamOpened`; `None`: it is no stream."""

    def publish(
        self, *bodies: bytes, properties: Properties = PLAIN, redelivered: bool = False
    ) -> None:
        """Append messages to the queue; `redelivered`: with the flag of redelivered messages."""
        with self.lock:
            for body in bodies:
                delivery = Delivery(body, properties, redelivered, next(self._numbers))
                self.waiting.append(delivery)
            self.published += len(bodies)
            for consumer in self.consumers:
                consumer.wake()

    def take_back(self, held: Sequence[Delivery]) -> None:
        """Requeue the unacknowledged messages of a connection, as a broker does when it breaks."""
        self.waiting.extendleft(one._replace(redelivered=True) for one in reversed(held))

    def cut(self) -> None:
        """Break the connections of all consumers; they reconnect at once."""
        with self.lock:
            for consumer in self.consumers:
                consumer.lose()
                consumer.connect()

    @property
    def unacknowledged(self) -> int:
        """Number of unacknowledged messages of all consumers."""
        with self.lock:
            return sum(consumer.unacknowledged for consumer in self.consumers)

    @property
    def unsettled(self) -> list[int]:
        """The numbers of the messages that wait, or that consumers hold."""
        with self.lock:
            held = [one for consumer in self.consumers for one in consumer.held]
            return sorted(delivery.number for delivery in (*held, *self.waiting))


class MemoryConsumer:
    """One subscription to a `MemoryQueue` (see `connectors.connector.Consumer`)."""

    def __init__(
        self, name: str, queue: MemoryQueue, number: int | None, memory: Callable[[], int]
    ) -> None:
        """`number`: the largest prefetch; `None`: no limit. `memory`: returns a limit in bytes."""
        self._name, self._queue = name, queue
        self._adaptive = AdaptivePrefetch(number, memory)
        self._prefetch = self._adaptive.wanted
        self._current = CurrentOrigin(name)
        self._held: dict[int, Delivery] = {}
        self._held_bytes = 0
        self._last_tag = 0
        self._events: list[ConsumerEvent] = []
        self._draining = self._connected = self._paused = False
        self.counts = ConsumerCounts()
        """See `Consumer`."""
        self.latest = LatestDeadLetters(name)

    def start(self, wake: Callable[[], object] = lambda: None) -> None:
        """See `Consumer`."""
        self.wake = wake
        with self._queue.lock:
            self._queue.consumers.append(self)
            self.connect()

    def take(self) -> list[ConsumerEvent]:
        """See `Consumer`."""
        with self._queue.lock:
            events, self._events = self._events, []
            messages = []
            while self._may_receive():
                delivery = self._queue.waiting.popleft()
                self._last_tag += 1
                tag, properties = self._last_tag, _encode(delivery.properties)
                self._held[tag] = delivery
                self._held_bytes += len(delivery.body) + MESSAGE_OVERHEAD
                messages.append(Message(tag, delivery.redelivered, b"", properties, delivery.body))
            return [*events, Arrived(self._current.latest, messages)] if messages else events

    def settle(self, outcomes: Outcomes) -> None:
        """See `Consumer`."""
        with self._queue.lock:
            if self._current.is_stale(outcomes.origin):
                return
            for tag in outcomes.stored:
                self._acknowledge(tag, "stored")
            for tag in outcomes.dropped:
                self._acknowledge(tag, "dropped")
            for tag in outcomes.kept:
                self._acknowledge(tag, "kept")
            for rejected in outcomes.rejected:
                delivery = self._pop(rejected.message.tag)
                others = [one.number for tag in rejected.others if (one := self._pop(tag))]
                if delivery is not None:
                    self._queue.parked.append(rejected)
                    self.latest.note(rejected, time.time())
                    reason, properties = rejected.rejection.reason, delivery.properties
                    body, numbers = rejected.message.body, [delivery.number, *others]
                    settled = Settled("parked", body, properties, reason, numbers)
                    self._queue.settled.append(settled)
                    messages = 1 + len(rejected.others)
                    self.counts = ConsumerCounts(parked=self.counts.parked + messages)
                    metrics.dead_lettered(rejected.rejection.reason, messages)

    def _acknowledge(self, tag: int, how: Literal["stored", "dropped", "kept"]) -> None:
        delivery = self._pop(tag)
        if delivery is not None:
            self._queue.acknowledged.append(delivery.body)
            settled = Settled(how, delivery.body, delivery.properties, None, [delivery.number])
            self._queue.settled.append(settled)

    @property
    def held(self) -> list[Delivery]:
        """The messages that it holds."""
        return list(self._held.values())

    def number(self, tag: int) -> int:
        """Return the number of a message that it holds (see `Delivery`); 0: it holds none."""
        delivery = self._held.get(tag)
        return 0 if delivery is None else delivery.number

    def park(self, rejected: Rejected) -> None:
        """Park a message of the job's own."""
        with self._queue.lock:
            self._queue.parked.append(rejected)
            self.latest.note(rejected, time.time())
            reason, body = rejected.rejection.reason, rejected.message.body
            self._queue.settled.append(Settled("parked", body, PLAIN, reason, []))
            metrics.dead_lettered(reason, 1)

    def is_stale(self, origin: Origin) -> bool:
        """See `Consumer`."""
        return self._current.is_stale(origin)

    def grow(self, waited: float) -> None:
        """See `Consumer`."""
        with self._queue.lock:
            if self.is_full:
                self._prefetch += self._adaptive.step(
                    self._prefetch, Held(len(self._held), self._held_bytes)
                )

    def pause(self) -> None:
        """See `Consumer`."""
        self._paused = True

    def resume(self) -> None:
        """See `Consumer`."""
        self._paused = False

    def drain(self) -> None:
        """See `Consumer`."""
        self._draining = True

    @property
    def started(self) -> bool:
        """See `Consumer`."""
        return self._current.latest.generation > 0

    @property
    def drained(self) -> bool:
        """See `Consumer`."""
        return self._draining and not self._events

    @property
    def paused(self) -> bool:
        """See `Consumer`."""
        return self._paused

    @property
    def unacknowledged(self) -> int:
        """See `Consumer`."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """See `Consumer`."""
        with self._queue.lock:
            held = Held(len(self._held), self._held_bytes)
            may_read = self._adaptive.may_read(held, reads=True)
            return self._connected and (held.messages >= self._prefetch or not may_read)

    @property
    def load(self) -> Load:
        """See `Consumer`."""
        with self._queue.lock:
            if not self._connected:
                return Load()
            held, prefetch = Held(len(self._held), self._held_bytes), self._prefetch
            is_used_up = held.messages >= prefetch and self._adaptive.may_read(held, reads=True)
            return Load(
                *(held.messages, prefetch, self.is_full),
                may_grow=is_used_up and self._adaptive.step(prefetch, held) > 0,
                bytes=held.bytes,
                memory=self._adaptive.memory,
            )

    @property
    def awaiting_outcome(self) -> int:
        """See `Consumer`; an outcome settles its message at once."""
        return len(self._held)

    def close(self) -> None:
        """See `Consumer`."""
        with self._queue.lock:
            if self in self._queue.consumers:
                self._queue.consumers.remove(self)
                self.lose()

    def connect(self) -> None:
        """Begin a new generation."""
        self._last_tag, self._connected = 0, True
        self._events.append(Opened(self._current.open()))
        if self._queue.stream is not None:
            self._events.append(StreamOpened(self._current.latest, self._queue.stream))

    def lose(self) -> None:
        """Break the connection."""
        self._queue.take_back(self.held)
        self._held, self._held_bytes, self._connected = {}, 0, False
        self._events.append(Lost(self._current.lose()))

    def _pop(self, tag: int) -> Delivery | None:
        delivery = self._held.pop(tag, None)
        if delivery is not None:
            self._held_bytes -= len(delivery.body) + MESSAGE_OVERHEAD
        return delivery

    def _may_receive(self) -> bool:
        if not self._connected or self._draining or self._paused or not self._queue.waiting:
            return False
        held = Held(len(self._held), self._held_bytes)
        return held.messages < self._prefetch and self._adaptive.may_read(held, reads=True)


_encode = msgspec.msgpack.Encoder().encode
