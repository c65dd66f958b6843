"""Consumes one queue: the I/O thread that owns the connection, and what the dataflow sees of it.

The thread answers heartbeats whatever the dataflow does. Between the two threads there are two
deques and one wake-up, and no lock: `prefetch` bounds what can be in them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors import metrics
from connectors.message import Arrived, Lost, Message, Opened, Origin, Outcomes, Rejected
from connectors.rabbitmq import topology
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.park import Parker
from connectors.rabbitmq.poison import Caution, any_redelivered
from connectors.rabbitmq.settlement import Settlement
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

LOG = logging.getLogger("hopper.rabbitmq")

RECONNECT = Backoff(0.5, 30.0)
"""Between two tries to connect: soon enough after a restart, and no burden in a long outage."""

SETTLE_AFTER = 0.005
"""Seconds in which outcomes gather before they are acknowledged together: a wake-up of the thread
costs 2.5 µs, and RabbitMQ takes a run of acknowledgements three times as fast as single ones."""

LOOK_AFTER = 1.0
"""Seconds between two looks at what only time changes."""

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
        self._origin = Origin(name, 0)
        self._connection: BatchConnection | None = None
        # Each channel has its own, since tags die with it.
        self._subscription: Subscription | None = None
        self._settlement: Settlement | None = None
        self._caution = Caution(spec.prefetch)
        if not spec.may_be_cautious:
            self._caution.end()
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
        self._arm()

    def _arm(self) -> None:
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
        settlement = self._settlement  # the other thread may be about to forget it
        return 0 if settlement is None else settlement.open

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
        self._connection = connection
        self._subscription = Subscription(connection, channel, self._spec, self._on_messages)
        self._settlement = Settlement(
            self._loop, self._origin, connection, channel, self._spec.prefetch, self._parker
        )
        self._ready.append(Opened(self._origin))
        metrics.CONNECTIONS.inc()
        LOG.info("%s: consuming, %s", self._name, self._link.place)
        channel.add_on_cancel_callback(
            lambda _: self._link.drop("the broker has cancelled the consumer")
        )
        self._look(self._origin)

    def _look(self, origin: Origin) -> None:
        """Again and again, as long as this connection is there."""
        if self._settlement is not None and origin == self._origin:
            self._adapt()
            self._loop.call_later(LOOK_AFTER, lambda: self._look(origin))

    def _adapt(self) -> None:
        """Consume, with as many messages at a time as are wise now."""
        assert self._settlement is not None
        assert self._subscription is not None
        self._caution.look(self._settlement.open, time.monotonic())
        if not self._draining:
            self._subscription.consume(self._caution.prefetch)

    def link_down(self, reason: str, was_ready: bool) -> None:
        """Void everything of this generation."""
        self._connection = self._subscription = self._settlement = None
        self._bytes = 0
        if was_ready:
            self._caution.end()
            self._ready.append(Lost(self._origin))
            if self._parker is not None:
                self._parker.forget(self._origin)
        if self._draining:
            self._ended = True
        if not self._closing:
            LOG.warning("%s: no connection, %s: %s", self._name, self._link.place, reason)

    def _on_messages(self, messages: list[Message]) -> None:
        assert self._settlement is not None
        self._settlement.delivered(messages[-1].tag)
        if not self._caution.over:
            self._caution.arrived(messages, time.monotonic())
            self._adapt()
        if any_redelivered(messages):
            messages = self._settlement.without_poison(messages, self._spec.most_deliveries)
        if messages:
            self._ready.append(Arrived(self._origin, messages))
        assert self._connection is not None
        before, self._bytes = self._bytes, self._connection.bytes_received
        if self._bytes - before < LITTLE_BYTES:
            time.sleep(NAP)

    def _settle(self) -> None:
        self._armed = False  # first: outcomes that arrive from now on ask again
        settlement = self._settlement
        while self._outcomes:
            outcomes = self._outcomes.popleft()
            if settlement is not None and outcomes.origin == self._origin:
                settlement.settle(outcomes)
            else:  # the broker has taken those messages back
                _, stored, rejected, dropped, _ = outcomes
                metrics.STALE.inc(len(stored) + len(rejected) + len(dropped))
        if settlement is not None:
            settlement.flush(everything=self._closing)
            if not self._caution.over:
                self._adapt()

    def _on_parked(self, origin: Origin, rejected: Rejected) -> None:
        if self._settlement is not None and origin == self._origin:
            self._settlement.parked(rejected)
            self._arm()
        if self._closing:
            self._close()

    def _stop_consuming(self) -> None:
        if self._draining:
            return
        self._draining = True
        if self._subscription is not None:
            self._subscription.end(self._on_ended)
        else:
            self._ended = True

    def _on_ended(self) -> None:
        self._ended = True

    def _close(self) -> None:
        """Settle everything that was handed in; leave when nothing waits to be parked."""
        self._draining = self._closing = True
        self._settle()
        if self._parker is not None and len(self._parker) and self._settlement is not None:
            return  # `_on_parked` comes back here
        if self._parker is None:
            self._link.close(self._loop.stop)
        else:
            parker = self._parker
            self._link.close(lambda: parker.close(self._loop.stop))
