"""Consumes one queue: an I/O thread owns the connection, and the dataflow's thread calls.

The I/O thread answers heartbeats even while the dataflow is busy. The threads share two deques and
one wake-up, and no lock; the prefetch bounds both deques.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors import metrics
from connectors.connector import ConsumerEvent, Load
from connectors.current_origin import CurrentOrigin
from connectors.message import ConsumerCounts, Lost, Opened, Origin, Outcomes, Rejected
from connectors.rabbitmq import refusal, topology
from connectors.rabbitmq.consumer_parts import ConsumerParts
from connectors.rabbitmq.credentials import Credentials
from connectors.rabbitmq.dead_letter import DeadLetterPublisher
from connectors.rabbitmq.events import Wake
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.queue_counts import QueueCounts
from connectors.rabbitmq.reach import Reach
from connectors.rabbitmq.read_pause import SHORTEST
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.session import Session
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource, RejectLimit
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

RECONNECT = Backoff(0.5, 30.0)
"""Seconds between two attempts to connect: soon after a restart, rarely in a long outage."""
CANCELLED = "the broker has cancelled the consumer: the queue was deleted or moved"


class RabbitMQConsumer:
    """One subscription to a queue (see `connectors.connector.Consumer`)."""

    def __init__(
        self,
        name: str,
        spec: RabbitMQSource,
        dead_letter: RabbitMQDeadLetter | None,
        credentials: Credentials,
        memory: Callable[[], int],
        collect_seconds: float = SHORTEST,
    ) -> None:
        """Without a `dead_letter`, rejected messages go to the queue's own dead lettering.

        `memory`: bytes that unacknowledged messages may take. `collect_seconds`: how long messages
        may collect before they are handed over.
        """
        self.name, self._loop = name, IOLoop()
        self._thread = threading.Thread(target=self._run, name=f"rabbitmq {name}", daemon=True)
        self._link = Link(
            *(self._loop, spec.url, f"hopper {name}", topology.of_source(spec), self, RECONNECT),
            *(credentials.of_source, refusal.CONSUME),
        )
        self._publisher = (
            DeadLetterPublisher(self._loop, name, spec, dead_letter, credentials, self._on_parked)
            if dead_letter is not None
            else None
        )
        self._outcomes = deque[Outcomes]()
        self._wake, self._current = Wake(self._loop, self._settle), CurrentOrigin(name)
        self._session: Session | None = None  # one for each channel: delivery tags end with it
        limit = dead_letter.reject_limit if dead_letter is not None else RejectLimit()
        self.rejections = Rejections(name, limit, parks=dead_letter is not None)
        self._parts = ConsumerParts(
            self._loop, spec, memory, self._publisher, self.rejections, collect_seconds
        )
        self._events = self._parts.events
        self.reach, self.queue_counts = Reach(name), QueueCounts(self._loop, spec.only_queue)
        self._draining = self._closing = self._paused = False  # paused by the operator
        self._stopping = False  # at the reject limit, until the next probe

    # The dataflow's thread calls these.

    def start(self, wake: Callable[[], object] = lambda: None) -> None:
        """See `Consumer`."""
        self._events.wake_by(wake)
        self._thread.start()

    def take(self) -> list[ConsumerEvent]:
        """See `Consumer`."""
        if not (self._closing or self._thread.is_alive()):
            raise AssertionError(f"{self._thread.name} has died")
        return self._events.take()

    def settle(self, outcomes: Outcomes) -> None:
        """See `Consumer`."""
        self._outcomes.append(outcomes)
        self._wake.soon()

    def park(self, rejected: Rejected, queue: str | None, parked: Callable[[], object]) -> None:
        """See `Source.park`; `queue`: where the message came from, `None`: from the job itself."""
        assert self._publisher is not None, "a job that keeps state has a dead_letter"
        confirmed = partial(self.rejections.parked_own, rejected, parked)
        park = partial(self._publisher.park_own, rejected, queue, confirmed)
        self._loop.add_callback_threadsafe(park)

    def is_stale(self, origin: Origin) -> bool:
        """See `Consumer`."""
        return self._current.is_stale(origin)

    def grow(self, waited: float) -> None:
        """See `Consumer`."""
        if (session := self._session) is not None:
            self._loop.add_callback_threadsafe(lambda: session.grow(waited))

    def pause(self) -> None:
        """See `Consumer`."""
        self._loop.add_callback_threadsafe(self._pause)

    def resume(self) -> None:
        """See `Consumer`."""
        self._loop.add_callback_threadsafe(self._resume)

    def drain(self) -> None:
        """See `Consumer`."""
        self._loop.add_callback_threadsafe(self._stop_consuming)

    @property
    def started(self) -> bool:
        """See `Consumer`."""
        return self._thread.ident is not None

    @property
    def drained(self) -> bool:
        """See `Consumer`."""
        return self._events.ended and not self._events

    @property
    def paused(self) -> bool:
        """See `Consumer`."""
        session = self._session
        return self._paused and not self._events and (session is None or session.paused)

    @property
    def unacknowledged(self) -> int:
        """See `Consumer`."""
        session = self._session  # read once: the I/O thread may set it to `None`
        return 0 if session is None else session.open

    @property
    def is_full(self) -> bool:
        """See `Consumer`."""
        session = self._session
        return session is not None and session.is_full

    @property
    def load(self) -> Load:
        """See `Consumer`."""
        session = self._session
        return Load(is_missing=self.reach.is_missing) if session is None else session.load

    @property
    def awaiting_outcome(self) -> int:
        """See `Consumer`."""
        session = self._session
        return 0 if session is None else session.awaiting_outcome

    @property
    def counts(self) -> ConsumerCounts:
        """See `Consumer`."""
        return self.rejections.counts

    def close(self) -> None:
        """See `Consumer`."""
        if self._thread.is_alive():
            self._loop.add_callback_threadsafe(self._close)
            self._thread.join()

    # The I/O thread calls these.

    def _run(self) -> None:
        self._link.open()
        self._loop.start()
        self._loop.close()

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Begin to consume, as a new generation."""
        origin, self._stopping = self._current.open(), False
        self.rejections.connected()
        if self.rejections.probing:
            self._parts.begin_probe()
        session = self._session = Session(self, self._parts, origin, connection, channel)
        metrics.CONNECTIONS.inc()
        self.queue_counts.watch(connection, lambda: session.replaced)
        channel.add_on_cancel_callback(lambda _: self._link.drop(CANCELLED))
        if self._draining:
            session.end(self._events.end)
        elif self.rejections.stopped:
            self.stop_until_probe()
        if self._paused:
            session.pause()
        session.begin()

    def disconnect(self, reason: str) -> None:
        """See `SessionOwner`."""
        self._link.drop(reason)

    def agreed(self) -> None:
        """See `SessionOwner`."""
        if not self.reach.consuming:
            self.reach.agreed(self._link.address)
            self._events.add(Opened(self._current.latest))

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """End this generation: the broker requeues all messages that it held."""
        if self._session is not None:
            self.rejections.lost(self._session.rejected)
            self._session.abandon()
        self._session, origin = None, self._current.lose()
        self.reach.lost(
            self._link.address, reason, remedy, expected=self._closing or self._stopping
        )
        if was_ready:
            self._parts.slow_start.end()
            self._events.add(Lost(origin))
            if self._publisher is not None:
                self._publisher.forget(origin)
        if self._draining:
            self._events.end()

    def _settle(self) -> None:
        session = self._session
        while self._outcomes:
            outcomes = self._outcomes.popleft()
            if session is not None and not self._current.is_stale(outcomes.origin):
                session.settle(outcomes)
            else:
                self.rejections.stale(outcomes)
        if session is not None:
            session.flush(everything=self._closing)

    def _on_parked(self, origin: Origin, rejected: Rejected) -> None:
        if self._session is not None and not self._current.is_stale(origin):
            self._session.parked(rejected)
            self._wake.soon()
        if self._closing:
            self._close()
        elif self._stopping:
            self._disconnect_until_probe()

    def stop_until_probe(self) -> None:
        """See `SessionOwner`. Park nothing more, requeue the rest."""
        if self._session is not None and not (self._stopping or self._draining):
            self._stopping = True
            self._session.end(self._disconnect_until_probe)

    def _disconnect_until_probe(self) -> None:
        """Disconnect as soon as no message is being parked, and reconnect later for a probe."""
        if self._session is not None and not self._publisher:
            self._session.flush(everything=True)
            self._link.drop(
                "too many messages are rejected", reconnect_after=self.rejections.seconds_to_probe
            )

    def _pause(self) -> None:
        self._paused = True
        if self._session is not None:
            self._session.pause()

    def _resume(self) -> None:
        self._paused = False
        if self._session is not None:
            self._session.resume()

    def _stop_consuming(self) -> None:
        if self._draining:
            return
        self._draining = True
        if self._session is not None:
            self._session.end(self._events.end)
        else:
            self._events.end()

    def _close(self) -> None:
        """Settle all outcomes that were passed in; disconnect when the brokers have the rest."""
        self._draining = self._closing = True
        self._settle()
        if self._session is None:
            self._leave()
        elif not self._publisher:  # otherwise `_on_parked` calls this again
            self._session.give_back(self._leave)

    def _leave(self) -> None:
        self.rejections.log_counts(everything=True)
        publisher, stop = self._publisher, self._loop.stop
        self._link.close(stop if publisher is None else lambda: publisher.close(stop))
