"""The `correlate` step, on Bytewax: reads each message once, and routes it to its shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from math import inf

from connectors.message import Arrived, Backpressured, Drain, Lost, StreamOpened
from flows.audit.counters import in_outcomes
from flows.audit.reconcile import Accounts
from flows.messages.read import MessageReader
from flows.steps.raised import RAISED
from flows.steps.routing import ForConsumer, ForShard, ShardRouter
from flows.steps.source import Event
from flows.tap.points import TapPoint
from flows.values.group import Member, Progress

Correlate = Callable[[list[Event]], Iterable[tuple[str, ForShard | Lost | ForConsumer]]]
"""Returns values for shards and for consumers, each with the name of its receiver."""


def correlate(
    readers: Mapping[str, MessageReader],
    router: ShardRouter,
    accounts: Accounts,
    tap: TapPoint[Member],
    clock: Callable[[], float] | None = None,
) -> Correlate:
    """Return the `correlate` step.

    `readers`: by the names of consumers, as each queue has a reader of its own. `tap`: gets all
    members. `clock`: returns the time of arrival, in seconds since 1970.
    """
    clock = clock or time.time

    def step(events: list[Event]) -> Iterable[tuple[str, ForShard | Lost | ForConsumer]]:
        with RAISED:
            for event in events:
                if isinstance(event, Arrived):
                    now, consumer = clock(), event.origin.consumer
                    correlated = readers[consumer].read(event, now)
                    outcomes, sent = correlated.outcomes, len(correlated.members)
                    sent += in_outcomes(outcomes) if outcomes else 0
                    account = accounts.of_consumer(consumer)
                    account.sent += sent
                    account.unread -= len(event.messages)
                    if tap.subscriptions:
                        tap.offer(correlated.members)
                    yield from router.route(correlated, now)
                    if outcomes is not None:
                        yield consumer, outcomes
                elif isinstance(event, Lost | StreamOpened):
                    for shard in router.shards_of(event.origin):
                        yield shard, event
                elif isinstance(event, Backpressured):
                    for shard in router.shards:
                        yield shard, Progress(event.consumer, -inf)
                elif isinstance(event, Drain):
                    for each in router.consumers:
                        yield each, event
                else:
                    yield event.origin.consumer, event

    return step
