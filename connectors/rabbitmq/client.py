"""Consumes one queue: the I/O thread that owns the connection, and what the dataflow sees of it.

The thread answers heartbeats whatever the dataflow does. Between the two threads there are two
deques and one wake-up, and no lock: `prefetch` bounds what can be in them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from functools import partial

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors import metrics
from connectors.message import Arrived, Lost, Message, Opened, Origin, Outcomes, Rejected
from connectors.rabbitmq import topology
from connectors.rabbitmq.ledger import Ledger
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.park import Parker
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

LOG = logging.getLogger("hopper.rabbitmq")

RECONNECT = Backoff(0.5, 30.0)
"""Between two tries to connect: soon enough after a restart, and no burden in a long outage."""

SETTLE_AFTER = 0.005
"""Seconds in which outcomes gather before they are acknowledged together: a wake-up of the thread
costs 2.5 µs, and RabbitMQ takes a run of acknowledgements three times as fast as single ones."""

SPILL_AFTER = 1.0
"""Seconds that finished messages wait behind an open one, to be acknowledged together with it:
those behind it take a frame each, so they go when they are half of the prefetch, or this old."""

NAP = 0.003
"""Seconds the thread sleeps after a read that brought little, so that the next one brings more:
half the CPU of a message is the cost of a read."""
LITTLE_BYTES = 65536


class RabbitMQConsumer:
    """One subscription to a queue (see `connectors.connector.Consumer`)."""

    def __init__(
        self, name: str, spec: RabbitMQSource, dead_letter: RabbitMQDeadLetter | None
    ) -> None:
        """Without a `dead_letter`, the queue's own dead lettering gets what is rejected."""
        self._name, self._spec = name, spec
        self._loop = IOLoop()
        self._thread = threading.Thread(target=self._run, name=f"rabbitmq {name}", daemon=True)
        wanted = topology.of_source(spec)
        self._link = Link(self._loop, spec.url, f"hopper {name}", wanted, self, RECONNECT)
        self._parker = (
            Parker(self._loop, name, spec, dead_letter, parked=self._on_parked)
            if dead_letter is not None
            else None
        )
        self._ready: deque[Opened | Arrived | Lost] = deque()
        self._outcomes: deque[Outcomes] = deque()
        self._armed = False  # `_settle` has been asked for, and has not run yet
        self._spilling = False  # the same, of `_spill`
        self._origin = Origin(name, 0)
        self._connection: BatchConnection | None = None
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._ledger: Ledger | None = None  # one for each channel: tags die with it
        self._draining = self._ended = self._closing = False
        self._bytes = 0

    # What the dataflow calls.

    def start(self) -> None:
        """See `Consumer`."""
        self._thread.start()

    def take(self) -> list[Opened | Arrived | Lost]:
        """See `Consumer`."""
        assert self._closing or self._thread.is_alive(), f"{self._thread.name} has died"
        ready = self._ready
        events: list[Opened | Arrived | Lost] = []
        while ready:
            event, last = ready.popleft(), events[-1] if events else None
            if isinstance(event, Lost):
                # What the lost connection delivered will come again: let none of it into a window.
                events = [e for e in events if isinstance(e, Lost) or e.origin != event.origin]
            if isinstance(event, Arrived) and isinstance(last, Arrived):
                last.messages.extend(event.messages)  # the same origin: `Lost` stands between two
            else:
                events.append(event)
        return events

    def settle(self, outcomes: Outcomes) -> None:
        """See `Consumer`."""
        self._outcomes.append(outcomes)
        if not self._armed:
            self._armed = True
            self._loop.add_callback_threadsafe(
                lambda: self._loop.call_later(SETTLE_AFTER, self._settle)
            )

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
        return self._ended and not self._ready

    @property
    def unsettled(self) -> int:
        """See `Consumer`."""
        return 0 if self._ledger is None else self._ledger.open

    def close(self) -> None:
        """See `Consumer`."""
        if self._thread.is_alive():
            self._loop.add_callback_threadsafe(self._close)
            self._thread.join()

    # What runs on the I/O thread.

    def _run(self) -> None:
        self._link.open()
        self._loop.start()
        self._loop.close()

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Consume, as a new generation."""
        self._origin = Origin(self._name, self._origin.generation + 1)
        self._connection, self._channel = connection, channel
        self._ledger = Ledger(
            channel.basic_ack, channel.basic_reject, partial(connection.acknowledge_each, channel)
        )
        self._ready.append(Opened(self._origin))
        metrics.CONNECTIONS.inc()
        LOG.info("%s: consuming, %s", self._name, self._link.place)
        channel.add_on_cancel_callback(
            lambda _: self._link.drop("the broker has cancelled the consumer")
        )
        channel.basic_qos(
            prefetch_count=self._spec.prefetch,
            callback=lambda _: self._consume(connection, channel),
        )

    def _consume(self, connection: BatchConnection, channel: Channel) -> None:
        if not self._draining:
            self._consumer_tag = connection.consume_batches(
                channel, self._spec.queue, self._on_messages
            )

    def link_down(self, reason: str, was_ready: bool) -> None:
        """Void everything of this generation."""
        self._channel = self._connection = self._ledger = None
        self._consumer_tag, self._bytes = "", 0
        if was_ready:
            self._ready.append(Lost(self._origin))
            if self._parker is not None:
                self._parker.forget(self._origin)
        if self._draining:
            self._ended = True
        if not self._closing:
            LOG.warning("%s: no connection, %s: %s", self._name, self._link.place, reason)

    def _on_messages(self, messages: list[Message]) -> None:
        assert self._ledger is not None
        self._ledger.delivered(messages[-1].tag)
        self._ready.append(Arrived(self._origin, messages))
        assert self._connection is not None
        before, self._bytes = self._bytes, self._connection.bytes_received
        if self._bytes - before < LITTLE_BYTES:
            time.sleep(NAP)

    def _settle(self) -> None:
        self._armed = False  # first: outcomes that arrive from now on ask again
        while self._outcomes:
            origin, stored, rejected, dropped, parts = self._outcomes.popleft()
            assert not parts, "outcomes of parts are made outcomes of messages before"
            if self._ledger is None or origin != self._origin:
                metrics.STALE.inc(len(stored) + len(rejected) + len(dropped))
                continue  # the broker has taken those messages back
            self._ledger.stored(stored)
            if dropped:
                metrics.DROPPED.inc(self._ledger.stored(dropped))
            for message in rejected:
                self._reject(message)
        if self._ledger is not None:
            self._ledger.flush(
                spill=self._closing or self._ledger.unsent > self._spec.prefetch // 2
            )
            if self._ledger.unsent and not self._spilling:
                self._spilling = True
                self._loop.call_later(SPILL_AFTER, self._spill)

    def _spill(self) -> None:
        """Acknowledge one by one what is finished behind a message that is still open."""
        self._spilling = False
        if self._ledger is not None:
            self._ledger.flush(spill=True)

    def _reject(self, rejected: Rejected) -> None:
        assert self._ledger is not None
        if self._parker is None:
            self._ledger.reject(rejected.message.tag, requeue=False)
            metrics.DISCARDED.inc()
        else:
            self._parker.park(self._origin, rejected)

    def _on_parked(self, origin: Origin, tag: int) -> None:
        metrics.PARKED.inc()
        self.settle(Outcomes(origin, [tag], []))
        if self._closing:
            self._close()

    def _stop_consuming(self) -> None:
        if self._draining:
            return
        self._draining = True
        if self._channel is not None and self._consumer_tag:
            self._channel.basic_cancel(self._consumer_tag, callback=self._on_cancelled)
        else:
            self._ended = True

    def _on_cancelled(self, _frame: object) -> None:
        self._ended = True

    def _close(self) -> None:
        """Settle everything that was handed in; leave when nothing waits to be parked."""
        self._draining = self._closing = True
        self._settle()
        if self._parker is not None and len(self._parker) and self._ledger is not None:
            return  # `_on_parked` comes back here
        if self._parker is None:
            self._link.close(self._loop.stop)
        else:
            parker = self._parker
            self._link.close(lambda: parker.close(self._loop.stop))
