"""What one channel holds stays within its memory, for all sizes, rates and outages."""

from __future__ import annotations

import time
from collections import deque
from typing import Any
from unittest.mock import Mock, patch

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from pika.frame import decode_frame

from connectors.message import Message
from connectors.prefetch import MAX_MESSAGES, MESSAGE_OVERHEAD, AdaptivePrefetch, Held
from connectors.rabbitmq.memory_limit import MemoryLimit
from connectors.rabbitmq.slow_start import SlowStart
from connectors.rabbitmq.socket_reading import SocketReading
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import connect, feed, method

SOURCE = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q"})


class ReadableConnection:
    """What `SocketReading` needs of a connection."""

    class ReadableTransport:
        _nbio, _sock = Mock(), Mock()

        def _on_socket_readable(self) -> None:
            raise AssertionError("no socket is read here")

    def __init__(self) -> None:
        self._transport, self.is_open, self.bytes_received = self.ReadableTransport(), True, 0


class FullQueue:
    """A channel to a broker that always has messages of the size that is asked for.

    What the broker sends waits on its way until it is read: messages, by their sizes, and answers.
    """

    def __init__(self, memory: int) -> None:
        self.now = 0.0
        self.sizes: deque[int] = deque()
        """Of the held messages."""
        self._last_tag = 0
        self._on_the_way: deque[int | Any] = deque()
        self._delivers = False
        self._asked_prefetch = self._prefetch = self._delivered = 0
        self._connection, (channel, _) = connect(BatchConnection)
        self._adaptive = AdaptivePrefetch(None, lambda: memory)
        slow_start = SlowStart(self._adaptive.wanted)
        slow_start.end()
        self.subscription = Subscription(
            *(self._connection, channel, SOURCE, slow_start, self._adaptive),
            *(Mock(), self._held_from, lambda: self.held, Mock()),
        )
        reading = SocketReading(ReadableConnection())
        self.limit = MemoryLimit(
            reading, self._adaptive, lambda: self.held, self.subscription.shrink
        )
        self._connection.written.clear()
        self.tick()

    @property
    def held(self) -> Held:
        return Held(len(self.sizes), sum(self.sizes) + MESSAGE_OVERHEAD * len(self.sizes))

    def deliver(self, count: int, size: int) -> None:
        """The broker sends so many messages, if the prefetch allows; they are read until full."""
        room = self._prefetch - self._delivered if self._delivers else 0
        self._delivered += min(count, room)
        self._on_the_way.extend([size] * min(count, room))
        self._read()

    def settle(self, count: int) -> None:
        for _ in range(min(count, len(self.sizes))):
            self.sizes.popleft()
        self._delivered = min(self._delivered, len(self.sizes) + len(self._on_the_way))
        if self.limit.is_reached:
            self.limit.update()
        if self.subscription.is_changing:
            self.subscription.update(len(self.sizes), self.now)
        self._read()

    def starve(self, seconds: float) -> None:
        """Dataflow and sink have nothing to do, so the prefetch may grow."""
        for waited in (0.0, seconds):
            before = self.held
            if not self.limit.is_reached and (more := self.subscription.grow(self.now, waited)):
                assert before.bytes + more * before.bytes / before.messages <= self._adaptive.memory
                assert before.messages + more <= MAX_MESSAGES
            self.now += seconds
            self._read()

    def tick(self) -> None:
        """A second has passed."""
        self.now += 1.0
        self.subscription.update(len(self.sizes), self.now)
        self.limit.update()
        self._read()

    def _held_from(self, tag: int) -> int:
        return max(0, min(len(self.sizes), self._last_tag + 1 - tag))

    def _read(self) -> None:
        self._answer()
        while self._on_the_way and not self.limit.is_reached:
            arrived = self._on_the_way.popleft()
            if isinstance(arrived, int):
                self._last_tag += 1
                self.sizes.append(arrived)
                message = Message(self._last_tag, False, b"\x00\x00", b"\x00\x00", b"")
                self.subscription.arrived([message], self.now)
                self.limit.update()
            else:
                feed(self._connection, method(1, arrived))
            self._answer()

    def _answer(self) -> None:
        """The broker answers all that was written, in order."""
        data = b"".join(self._connection.written)
        self._connection.written.clear()
        while data:
            size, frame = decode_frame(data)
            data = data[size:]
            asked = frame.method
            if isinstance(asked, spec.Basic.Cancel):
                self._delivers = False
                self._on_the_way.append(spec.Basic.CancelOk(asked.consumer_tag))
            elif isinstance(asked, spec.Basic.Qos):
                self._asked_prefetch = asked.prefetch_count
                self._on_the_way.append(spec.Basic.QosOk())
            else:
                assert isinstance(asked, spec.Basic.Consume)
                self._delivers, self._prefetch, self._delivered = True, self._asked_prefetch, 0
                self._on_the_way.append(spec.Basic.ConsumeOk(asked.consumer_tag))


SIZES = st.one_of(st.integers(0, 2000), st.integers(0, 5_000_000))
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 3000), SIZES),
        st.tuples(st.just("settle"), st.integers(1, 3000)),
        st.tuples(st.just("starve"), st.floats(0, 2)),
        st.tuples(st.just("tick")),
    ),
    max_size=40,
)


@given(memory=st.integers(10_000, 10_000_000), moves=MOVES)
def test_held_bytes_stay_within_memory_and_one_message(
    memory: int, moves: list[tuple[Any, ...]]
) -> None:
    """For all sizes, rates and outages; replacing a consumer adds nothing."""
    queue = FullQueue(memory)
    with patch.object(time, "monotonic", lambda: queue.now):
        for name, *values in moves:
            getattr(queue, name)(*values)
            last = queue.sizes[-1] + MESSAGE_OVERHEAD if queue.sizes else 0
            assert queue.held.bytes - last < memory
            assert queue.subscription.prefetch - len(queue.sizes) <= MAX_MESSAGES
        # No state blocks for ever: after all is settled, and time has passed, messages are read.
        while queue.sizes:
            queue.settle(len(queue.sizes))
        queue.tick()
        queue.deliver(1, 5_000_000)
        assert len(queue.sizes) == 1
