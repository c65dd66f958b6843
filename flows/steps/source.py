"""The `source` step, on Bytewax: each partition is a consumer, and emits its deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.connector import Consumer, Source
from connectors.message import Arrived, Backpressured, Drain, Lost, Opened
from flows.audit.backpressure import Backpressure
from flows.audit.counters import ConsumerAccount
from flows.audit.reconcile import Accounts
from flows.steps.idle_wait import IdleWait
from flows.steps.raised import remembered
from flows.values.stop import Stop

BUSY, STEADY, IDLE = 0.001, 0.01, 0.02
"""Seconds between two polls of a consumer that had many messages, some, and none for some time. A
poll costs as much as 50 messages, and the prefetch limits the messages that wait meanwhile."""
MUCH = 500
"""Messages that arrive in 10 ms at 50,000 a second."""

Event = Opened | Arrived | Lost | Backpressured | Drain
"""An event of a consumer."""


class Deliveries(FixedPartitionedSource[Event, None]):
    """The `source` step: a partition is a consumer."""

    def __init__(
        self,
        source: Source,
        stop: Stop,
        accounts: Accounts,
        backpressure: Backpressure | None = None,
        clock: Callable[[], float] | None = None,
        idle: IdleWait | None = None,
    ) -> None:
        """`backpressure`: if given, checks each consumer, and raises its prefetch.

        `clock`: returns seconds of any clock that only goes forward, for these checks. `idle`: lets
        workers wait while the job has nothing to do.
        """
        self._source, self._stop, self._accounts = source, stop, accounts
        self._backpressure, self._clock = backpressure, clock or time.monotonic
        self._idle = idle

    def list_parts(self) -> list[str]:
        """Return all consumers of the cluster; Bytewax gives each to one worker.

        Bytewax calls this when the dataflow begins: all processes are connected then.
        """
        self._stop.begun = True
        return self._source.consumers()

    @remembered
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Deliveries:
        """Start the consumer."""
        consumer = self._source.consumer(for_part)
        if self._idle is None:
            consumer.start()
        else:
            consumer.start(self._idle.wake)
        account = self._accounts.open(for_part, consumer)
        return _Deliveries(
            *(for_part, consumer, self._stop, account, self._backpressure, self._clock, self._idle)
        )


class _Deliveries(StatefulSourcePartition[Event, None]):
    def __init__(
        self,
        name: str,
        consumer: Consumer,
        stop: Stop,
        account: ConsumerAccount,
        backpressure: Backpressure | None,
        clock: Callable[[], float],
        idle: IdleWait | None,
    ) -> None:
        self._name, self._consumer, self._stop, self._clock = name, consumer, stop, clock
        self._account, self._backpressure, self._checked_at = account, backpressure, 0.0
        self._announced: str | None = None
        self._paused = False
        self._sleep = BUSY
        self._idle, self._seen = idle, 0
        self._called_at = datetime.now(UTC)

    @remembered
    def next_batch(self) -> list[Event]:
        self._called_at = datetime.now(UTC)
        if self._idle is not None:
            if self._sleep == IDLE and self._stop.reason is None:
                self._idle.wait(self._seen)
            self._seen = self._idle.calls
        if self._paused != self._stop.paused:
            self._paused = self._stop.paused
            (self._consumer.pause if self._paused else self._consumer.resume)()
        events: list[Event] = [*self._consumer.take()]
        messages = sum(len(event.messages) for event in events if isinstance(event, Arrived))
        self._account.take(events)
        if (
            self._announced is None
            and self._is_backpressured(starved=messages < MUCH)
            and not messages
        ):
            events.append(Backpressured(self._name))
        if (reason := self._stop.reason) is not None and reason != self._announced:
            if self._announced is None:
                self._consumer.drain()
            self._announced = reason
            self._stop.announce()
            events.append(Drain(reason, self._stop.reload))
        elif not events and self._consumer.drained:
            raise StopIteration
        if messages >= MUCH:
            self._sleep = BUSY
        else:
            self._sleep = min(2 * self._sleep, STEADY if events else IDLE)
        return events

    def _is_backpressured(self, *, starved: bool) -> bool:
        """Return whether back-pressure silences the consumer; `False` between two checks.

        `starved`: hardly any messages have arrived since the last poll, so the consumer may need a
        larger prefetch.
        """
        backpressure, now = self._backpressure, self._clock()
        if backpressure is None:
            return False
        due = now - self._checked_at >= backpressure.check_interval
        if not (starved or due):
            return False
        load = self._consumer.load
        if starved and backpressure.is_starved(self._account, load, now):
            self._consumer.grow(self._sleep)
        if not due:
            return False
        self._checked_at = now
        return backpressure.check(self._name, self._account, load, now, paused=self._paused)

    def next_awake(self) -> datetime:
        # Bytewax counts from the moment at which it called `next_batch`.
        return self._called_at + timedelta(seconds=self._sleep)

    def snapshot(self) -> None:
        """Return no state: the broker keeps unacknowledged messages."""
