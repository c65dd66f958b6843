"""The two ends of the ring, `source` and `acknowledge`: both are the consumers of the source.

They hand over what arrives, and hand back what became of it; no decisions.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.connector import Consumer, Source
from connectors.message import Arrived, Drain, Kept, Lost, Opened, Outcomes
from flows.accounts.backpressure import Backpressure
from flows.accounts.books import Books
from flows.accounts.conservation import ConsumerAccount, in_outcomes
from flows.bodies.parts import Only, Parts
from flows.last_words import remembered
from flows.stop import Stop

BUSY, STEADY, IDLE = 0.001, 0.01, 0.02
"""Seconds between two looks at a consumer that had much, something, and nothing for some time: a
look costs as much as 50 messages, and what waits meanwhile is bounded by the prefetch."""
MUCH = 500
"""Messages: what comes in 10 ms at 50,000 a second, where a prefetch of 4000 lasts for 80 ms."""

Event = Opened | Arrived | Lost | Kept | Drain
"""What a consumer may have to tell."""
ForConsumer = Opened | Outcomes | Drain
"""What is told to a consumer."""


class Deliveries(FixedPartitionedSource[Event, None]):
    """The `source` step: a partition is a consumer."""

    def __init__(
        self, source: Source, stop: Stop, books: Books, backpressure: Backpressure | None = None
    ) -> None:
        """`backpressure`: if given, it looks at each consumer, and lets it grow."""
        self._source, self._stop, self._books = source, stop, books
        self._backpressure = backpressure

    def list_parts(self) -> list[str]:
        """All consumers of the cluster; Bytewax gives each to one worker.

        It asks when it begins: when all processes are there.
        """
        self._stop.begun = True
        return self._source.consumers()

    @remembered
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Deliveries:
        """Start the consumer."""
        consumer = self._source.consumer(for_part)
        consumer.start()
        account = self._books.of_consumer(for_part)
        account.undecided = lambda: consumer.undecided
        account.settled = lambda: consumer.counts
        return _Deliveries(for_part, consumer, self._stop, account, self._backpressure)


class _Deliveries(StatefulSourcePartition[Event, None]):
    def __init__(
        self,
        name: str,
        consumer: Consumer,
        stop: Stop,
        account: ConsumerAccount,
        backpressure: Backpressure | None,
    ) -> None:
        self._name, self._consumer, self._stop = name, consumer, stop
        self._account, self._backpressure, self._looked_at = account, backpressure, 0.0
        self._told = False
        self._pause = BUSY

    @remembered
    def next_batch(self) -> list[Event]:
        events: list[Event] = [*self._consumer.take()]
        messages = sum(len(event.messages) for event in events if isinstance(event, Arrived))
        self._account.take(events)
        if not self._told and self._is_kept() and not messages:
            events.append(Kept(self._name))
        if self._stop.reason is not None and not self._told:
            self._told = True
            self._stop.announce()
            self._consumer.drain()
            events.append(Drain(self._stop.reason))
        elif not events and self._consumer.drained:
            raise StopIteration
        if messages >= MUCH:
            self._pause = BUSY
        else:
            self._pause = min(2 * self._pause, STEADY if events else IDLE)
        return events

    def _is_kept(self) -> bool:
        """Look whether it is kept waiting; `False`: it is not, or the last look was just before."""
        backpressure, now = self._backpressure, time.monotonic()
        if backpressure is None or now - self._looked_at < backpressure.looks_after:
            return False
        self._looked_at = now
        look = backpressure.look(self._name, self._account, self._consumer.load, now)
        if look.grow:
            self._consumer.grow()
        return look.is_kept

    def next_awake(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._pause)

    def snapshot(self) -> None:
        """The broker remembers what is not acknowledged; there is nothing else to remember."""


class Acknowledge(FixedPartitionedSink[ForConsumer, None]):
    """The `acknowledge` step: its partitions are the source's, so outcomes come home.

    Bytewax places partitions by their names and the workers alone, so the sink's partition is on
    the worker of the source's partition of the same name. That is how its release 0.21.1 does it,
    not what it promises: `build_part` checks it.
    """

    def __init__(self, source: Source, only: Only, stop: Stop, books: Books) -> None:
        """For `only` see `Parts`."""
        self._source, self._only, self._stop, self._books = source, only, stop, books
        self._parts = source.consumers()

    def list_parts(self) -> list[str]:
        """The same names as `Deliveries` lists."""
        return self._parts

    def part_fn(self, item_key: str) -> int:
        """The consumer's own partition."""
        return self._parts.index(item_key)

    @remembered
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Acknowledge:
        """Find the consumer that the source has started."""
        consumer = self._source.consumer(for_part)
        if not consumer.started:
            raise AssertionError(f"{for_part} consumes in another process than it acknowledges")
        account = self._books.of_consumer(for_part)
        return _Acknowledge(consumer, Parts(self._only), self._stop, account)


class _Acknowledge(StatefulSinkPartition[ForConsumer, None]):
    def __init__(
        self, consumer: Consumer, parts: Parts, stop: Stop, account: ConsumerAccount
    ) -> None:
        self._consumer, self._parts, self._stop, self._account = consumer, parts, stop, account

    @remembered
    def write_batch(self, items: list[ForConsumer]) -> None:
        for item in items:
            if isinstance(item, Outcomes):
                self._settle(item)
            elif isinstance(item, Drain):
                self._stop.request(item.reason)

    def _settle(self, outcomes: Outcomes) -> None:
        count = in_outcomes(outcomes)
        self._account.home += count
        if self._account.is_stale(outcomes.origin):
            self._account.stale += count
            return
        outcomes = self._parts.take(outcomes)
        self._account.settle(outcomes)
        self._consumer.settle(outcomes)

    def snapshot(self) -> None:
        """Nothing is kept here."""

    def close(self) -> None:
        self._consumer.close()
        self._account.close()
