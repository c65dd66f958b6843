"""The steps between the two ends of the ring: they take the time and wait, the core decides.

The `write` step is in `write.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TypeGuard

from bytewax.operators import StatefulBatchLogic

from connectors import metrics
from connectors.message import Arrived, Drain, Kept, Lost, Outcomes
from flows.accounts.books import Books
from flows.accounts.conservation import Account, in_leaving, in_outcomes
from flows.consumers import Event, ForConsumer
from flows.correlate import Correlate
from flows.crossing import Members
from flows.group import Force, Group, Progress, Twin
from flows.groups.departures import Leaving
from flows.groups.shard import Shard
from flows.last_words import RAISED, remembered
from flows.shards import ForShard, Spread
from flows.stop import Stop

FORCED_WITHIN = 0.5
"""Seconds between two looks, while groups are open, whether a signal wants them complete."""


def correlate(
    core: Correlate,
    spread: Spread,
    clock: Callable[[], float] = time.time,
    books: Books | None = None,
) -> Callable[[list[Event]], Iterable[tuple[str, ForShard | Lost | ForConsumer]]]:
    """The `correlate` step: what concerns a shard, and what concerns a consumer.

    `clock` tells when messages have arrived, in seconds since 1970.
    """
    accounts = books or Books()

    def step(events: list[Event]) -> Iterable[tuple[str, ForShard | Lost | ForConsumer]]:
        with RAISED:
            for event in events:
                if isinstance(event, Arrived):
                    now = clock()
                    correlated = core.read(event, now)
                    outcomes, sent = correlated.outcomes, len(correlated.members)
                    sent += in_outcomes(outcomes) if outcomes else 0
                    accounts.of_consumer(event.origin.consumer).sent += sent
                    yield from spread.spread(correlated, now)
                    if outcomes is not None:
                        yield event.origin.consumer, outcomes
                elif isinstance(event, Lost):
                    for shard in spread.shards_of(event.origin):
                        yield shard, event
                elif isinstance(event, Kept):
                    for shard in spread.shards:
                        yield shard, Progress(event.consumer, -inf)
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
        account: Account | None = None,
    ) -> None:
        self._shard, self._signals, self._clock = shard, signals, clock or Clock()
        self._account = account or Account()
        self._obeyed = signals.completions
        self._late = dict(shard.late)

    @remembered
    def on_batch(self, values: list[ForShard | Lost]) -> tuple[list[Leaving | Lost], bool]:
        """Take messages in, or forget those of a lost connection."""
        now = self._clock()
        out: list[Leaving | Lost] = [*self._complete_forced(now)]
        entered = forgotten = 0
        for value in values:
            if isinstance(value, Members):
                entered += len(value)
                out += self._shard.add(value, now)
            elif isinstance(value, Lost):
                forgotten += self._forget(value)
                out.append(value)
            elif isinstance(value, Progress):
                out += self._shard.heard(value, now)
            else:
                out += self._shard.complete(value.key, now)
        self._note(out, entered, forgotten)
        return out, self.RETAIN

    @remembered
    def on_notify(self) -> tuple[list[Leaving | Lost], bool]:
        """Complete what has come of age."""
        now = self._clock()
        out: list[Leaving | Lost] = [*self._complete_forced(now), *self._shard.complete_due(now)]
        if out:
            self._note(out)
        return out, self.RETAIN

    @remembered
    def on_eof(self) -> tuple[list[Leaving | Lost], bool]:
        """Complete what is open; or leave it unacknowledged, and the broker takes it back."""
        out: list[Leaving | Lost] = [*self._shard.stop(self._clock())]
        self._note(out)
        return out, self.DISCARD

    def notify_at(self) -> datetime | None:
        """When the next group comes of age; or soon, since a signal wakes nobody."""
        if not self._shard.open_groups:
            return None
        due_at, now = self._shard.due_at, self._clock()
        due_in = FORCED_WITHIN if due_at is None else min(FORCED_WITHIN, due_at - now)
        return datetime.now(UTC) + timedelta(seconds=due_in)

    def snapshot(self) -> None:
        """Open groups are not saved: their messages are unacknowledged, and will come again."""

    def _complete_forced(self, now: float) -> list[Leaving]:
        if self._obeyed == self._signals.completions:
            return []
        self._obeyed = self._signals.completions
        self._signals.announce_completion()
        return self._shard.complete(None, now)

    def _forget(self, lost: Lost) -> int:
        before = self._held
        self._shard.purge(lost.origin)
        return before - self._held

    @property
    def _held(self) -> int:
        return self._shard.open_members + self._shard.open_shadows

    def _note(self, out: list[Leaving | Lost], entered: int = 0, forgotten: int = 0) -> None:
        """Count, once for each batch."""
        self._account.note(
            entered=entered,
            left=in_leaving(out),
            forgotten=forgotten,
            open=self._held,
            groups=self._shard.open_groups,
        )
        _count_departures(out)
        if self._shard.late != self._late:
            for became, count in self._shard.late.items():
                metrics.LATE.labels(became).inc(count - self._late[became])
            self._late = dict(self._shard.late)


def _count_departures(values: list[Leaving | Lost]) -> None:
    reasons: dict[str, int] = {}
    recognised = 0
    for value in values:
        if isinstance(value, Group):
            reasons[value.completed_by] = reasons.get(value.completed_by, 0) + 1
            members = value.summary.count if value.summary else len(value.members)
            metrics.GROUP_SIZE.observe(members)
        elif isinstance(value, Twin):
            recognised += 1
    for reason, count in reasons.items():
        metrics.GROUPS.labels(reason).inc(count)
    if recognised:
        metrics.RECOGNISED.inc(recognised)
