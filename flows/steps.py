"""The steps between the two ends of the ring: they take the time and wait, the core decides.

The `write` step is in `write.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import TypeGuard

from bytewax.operators import StatefulBatchLogic

from connectors import metrics
from connectors.message import Arrived, Drain, Lost, Outcomes
from flows.aggregate import Shard
from flows.consumers import Event, ForConsumer
from flows.correlate import Correlate
from flows.crossing import Members
from flows.departures import Leaving
from flows.group import Force, Group, Progress
from flows.shards import ForShard, Spread
from flows.stop import Stop

FORCED_WITHIN = 0.5
"""Seconds between two looks, while groups are open, whether a signal wants them complete."""


def correlate(
    core: Correlate, spread: Spread, clock: Callable[[], float] = time.time
) -> Callable[[list[Event]], Iterable[tuple[str, ForShard | Lost | ForConsumer]]]:
    """The `correlate` step: what concerns a shard, and what concerns a consumer.

    `clock` tells when messages have arrived, in seconds since 1970.
    """

    def step(events: list[Event]) -> Iterable[tuple[str, ForShard | Lost | ForConsumer]]:
        for event in events:
            if isinstance(event, Arrived):
                now = clock()
                correlated = core.read(event, now)
                yield from spread.spread(correlated, now)
                if (outcomes := correlated.outcomes) is not None:
                    yield event.origin.consumer, outcomes
            elif isinstance(event, Lost):
                for shard in spread.shards_of(event.origin):
                    yield shard, event
            elif isinstance(event, Drain):
                for consumer in spread.consumers:
                    yield consumer, event
            else:
                yield event.origin.consumer, event

    return step


def concerns_a_shard(
    item: tuple[str, ForShard | Lost | ForConsumer],
) -> TypeGuard[tuple[str, ForShard | Lost]]:
    """Whether a value goes on to `aggregate`, or straight home."""
    return isinstance(item[1], (Members, Lost, Progress, Force))


def homeward(item: tuple[str, Outcomes]) -> tuple[str, ForConsumer]:
    """From a shard to the consumer whose messages these are."""
    outcomes = item[1]
    return outcomes.origin.consumer, outcomes


class Clock:
    """Seconds since 1970, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """What time it is."""
        return time.monotonic() + self._ahead


class Aggregate(StatefulBatchLogic[ForShard | Lost, Leaving | Lost, None]):
    """The `aggregate` step, for one shard."""

    def __init__(
        self,
        shard: Shard,
        signals: Stop,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._shard, self._signals, self._clock = shard, signals, clock or Clock()
        self._obeyed = signals.completions

    def on_batch(self, values: list[ForShard | Lost]) -> tuple[list[Leaving | Lost], bool]:
        """Take messages in, or forget those of a lost connection."""
        now = self._clock()
        out: list[Leaving | Lost] = [*self._complete_forced(now)]
        for value in values:
            if isinstance(value, Members):
                out += self._shard.add(value, now)
            elif isinstance(value, Lost):
                self._shard.purge(value.origin)
                out.append(value)
            elif isinstance(value, Progress):
                out += self._shard.heard(value, now)
            else:
                out += self._shard.complete(value.key, now)
        return _counted(out), self.RETAIN

    def on_notify(self) -> tuple[list[Leaving | Lost], bool]:
        """Complete what has come of age."""
        now = self._clock()
        return _counted([*self._complete_forced(now), *self._shard.complete_due(now)]), self.RETAIN

    def on_eof(self) -> tuple[list[Leaving | Lost], bool]:
        """Complete what is open; or leave it unacknowledged, and the broker takes it back."""
        return _counted([*self._shard.stop(self._clock())]), self.DISCARD

    def notify_at(self) -> datetime | None:
        """When the next group comes of age; or soon, since a signal wakes nobody."""
        if not self._shard.open_groups:
            return None
        due_at, now = self._shard.due_at, self._clock()
        due_in = FORCED_WITHIN if due_at is None else min(FORCED_WITHIN, due_at - now)
        return datetime.now(timezone.utc) + timedelta(seconds=due_in)

    def snapshot(self) -> None:
        """Open groups are not saved: their messages are unacknowledged, and will come again."""

    def _complete_forced(self, now: float) -> list[Leaving]:
        if self._obeyed == self._signals.completions:
            return []
        self._obeyed = self._signals.completions
        return self._shard.complete(None, now)


def _counted(values: list[Leaving | Lost]) -> list[Leaving | Lost]:
    for value in values:
        if isinstance(value, Group):
            metrics.GROUPS.labels(value.completed_by).inc()
            members = value.summary.count if value.summary else len(value.members)
            metrics.GROUP_SIZE.observe(members)
    return values
