"""The `source` step, on Bytewax: each partition is a consumer, and emits its deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.connector import Consumer, ConsumerEvent, Source
from connectors.message import Arrived, Backpressured, Drain
from flows.audit.backpressure import Backpressure
from flows.audit.counters import ConsumerAccount
from flows.audit.reconcile import Accounts
from flows.steps.idle_wait import LONGEST, IdleWait
from flows.steps.raised import remembered
from flows.values.stop import Stop

BUSY, STEADY, IDLE = 0.001, 0.01, 0.02
"""Seconds between two polls of a consumer that had many messages, some, and none for some time, if
the worker cannot wait for an event (see `idle_wait`). A poll costs as much as 50 messages, and the
prefetch limits the messages that wait meanwhile."""
MUCH = 500
"""Messages that arrive in 10 ms at 50,000 a second."""

Event = ConsumerEvent | Backpressured | Drain
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
        *,
        starts: bool = True,
    ) -> None:
        """`backpressure`: if given, checks each consumer, and raises its prefetch.

        `clock`: returns seconds of any clock that only goes forward, for these checks. `idle`: lets
        workers wait while the job has nothing to do. `starts`: consumers start at once, and not
        when all shards have begun.
        """
        self._source, self._stop, self._accounts = source, stop, accounts
        self._backpressure, self._clock = backpressure, clock or time.monotonic
        self._idle, self._starts = idle, starts

    def list_parts(self) -> list[str]:
        """Return all consumers of the cluster; Bytewax gives each to one worker.

        Bytewax calls this when the dataflow begins: all processes are connected then.
        """
        self._stop.begun = True
        return self._source.consumers()

    @remembered
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Deliveries:
        """Make the consumer, and start it if nothing has to begin before."""
        consumer = self._source.consumer(for_part)
        if self._starts:
            consumer.start(*woken(self._idle))
        account = self._accounts.open(for_part, consumer)
        return _Deliveries(
            *(for_part, consumer, self._stop, account, self._backpressure, self._clock, self._idle)
        )


def woken(idle: IdleWait | None) -> list[Callable[[], object]]:
    """Return what a consumer calls when it has news; empty: nothing."""
    return [] if idle is None else [idle.wake]


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
        self._longest_wait = LONGEST if backpressure is None else backpressure.check_interval
        self._collect_until, self._rests = 0.0, False
        self._waited = 0.0  # seconds since the last poll in which the worker slept
        self._called_at = datetime.now(UTC)

    @remembered
    def next_batch(self) -> list[Event]:
        self._called_at = datetime.now(UTC)
        self._waited += self._sleep
        if self._idle is not None and self._is_early(self._idle):
            return []
        if not self._consumer.started:
            return self._before_start()
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
        self._waited = 0.0
        self._plan_next(messages, bool(events))
        return events

    def _before_start(self) -> list[Event]:
        """Wait until all shards have begun; a drain ends that."""
        self._account.take([])
        reason = self._stop.reason
        if reason is None:
            return []
        if self._announced is not None:
            raise StopIteration
        self._announced = reason
        self._stop.announce()
        return [Drain(reason, self._stop.reload)]

    def _is_early(self, idle: IdleWait) -> bool:
        """Wait while the worker has nothing to do; return whether it is too early to take events.

        The only worker of a process waits as soon as all messages are at rest; a full consumer
        receives none that could end its wait.
        """
        self._rests = False
        if self._stop.reason is not None:
            return False
        began = time.monotonic()
        if idle.is_sole:
            self._rests = not self._consumer.is_full and idle.wait(
                self._seen, self._longest_wait, self._collect_until
            )
        elif self._sleep == IDLE:
            idle.wait(self._seen, self._longest_wait)
        now = time.monotonic()
        self._waited += now - began
        if now < self._collect_until:
            self._sleep = BUSY  # a step is due, or still at work
            return True
        self._seen = idle.calls
        return False

    def _plan_next(self, messages: int, has_events: bool) -> None:
        """Decide when to take events again."""
        idle = self._idle
        if messages < MUCH and has_events and idle is not None and idle.is_sole:
            self._collect_until = time.monotonic() + idle.collect_seconds
            self._sleep = BUSY
        elif self._rests or messages >= MUCH:
            self._sleep = BUSY
        else:
            self._sleep = min(2 * self._sleep, STEADY if has_events else IDLE)

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
            self._consumer.grow(self._waited)
        if not due:
            return False
        self._checked_at = now
        return backpressure.check(self._name, self._account, load, now, paused=self._paused)

    def next_awake(self) -> datetime:
        # Bytewax counts from the moment at which it called `next_batch`.
        return self._called_at + timedelta(seconds=self._sleep)

    def snapshot(self) -> None:
        """Return no state: the broker keeps unacknowledged messages."""
