"""The `aggregate` step, on Bytewax: reads the clock and waits; a `Shard` decides."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

from bytewax.operators import StatefulBatchLogic

from connectors import metrics
from connectors.message import Lost, StreamOpened
from flows.audit.counters import Account, in_leaving
from flows.audit.oldest_groups import OldestGroups, ShardView
from flows.groups.departures import Leaving, ShardOutput
from flows.groups.shard import Shard
from flows.steps.idle_wait import IdleWait
from flows.steps.raised import remembered
from flows.steps.routing import ForShard
from flows.tap.points import TapPoint
from flows.tap.samples import of_group
from flows.values.columnar import Members
from flows.values.group import DuplicateOfSent, FlushRequest, Group, Progress
from flows.values.stop import Stop

log = logging.getLogger("hopper.aggregate")

FORCED_WITHIN = 0.5
"""Seconds between two checks, while groups are open, for a signal to complete them."""


class Clock:
    """Seconds since 1970, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the time of now."""
        return time.monotonic() + self._ahead


class Aggregate(StatefulBatchLogic[ForShard | Lost, Leaving, None]):
    """The `aggregate` step, for one shard."""

    def __init__(
        self,
        shard: Shard,
        signals: Stop,
        account: Account | None = None,
        clock: Callable[[], float] | None = None,
        view: ShardView | None = None,
        tap: TapPoint[Group] | None = None,
        idle: IdleWait | None = None,
    ) -> None:
        """`clock`: returns seconds since 1970, and only goes forward; `view`: shows open groups.

        `tap`: gets all complete groups. `idle`: hears when the next group is due.
        """
        self.shard, self._signals, self._clock = shard, signals, clock or Clock()
        self._account, self._view = account or Account(), view or OldestGroups().of_shard()
        self._tap = tap or TapPoint(of_group)
        self._obeyed, self._idle = signals.completions, idle
        self._late = dict(shard.late)
        self._forgotten = 0
        """Distinct values that were forgotten early, and are counted."""

    @remembered
    def on_batch(self, values: list[ForShard | Lost]) -> tuple[list[Leaving], bool]:
        """Add messages to groups, or forget those of a lost connection."""
        now = self._clock()
        out: list[Leaving] = [*self._complete_forced(now)]
        entered = forgotten = 0
        for value in values:
            if isinstance(value, Members):
                entered += len(value)
                out += self.shard.add(value, now)
            elif isinstance(value, Lost):
                forgotten += self._forget(value)
                out.append(value)
            elif isinstance(value, Progress):
                out += self.shard.note_progress(value, now)
            elif isinstance(value, FlushRequest):
                out += self.shard.complete(value.key, now)
            elif isinstance(value, StreamOpened):
                self._open_stream(value)
        self._note(out, entered, forgotten)
        self._view.update(self.shard)
        return out, self.RETAIN

    @remembered
    def on_notify(self) -> tuple[list[Leaving], bool]:
        """Complete groups that are due."""
        now = self._clock()
        out: list[Leaving] = [
            *self._complete_forced(now),
            *self.shard.complete_due(now),
        ]
        if out:
            self._note(out)
        self._view.update(self.shard)
        return out, self.RETAIN

    @remembered
    def on_eof(self) -> tuple[list[Leaving], bool]:
        """Complete open groups; or leave them unacknowledged, and the broker requeues them."""
        out: list[Leaving] = [*self.shard.stop(self._clock())]
        self._note(out)
        return out, self.DISCARD

    def notify_at(self) -> datetime | None:
        """Return when the next group is due; at the latest soon, since a signal wakes no step."""
        due_in = None
        if self.shard.open_groups:
            due_at = self.shard.due_at
            until_due = inf if due_at is None else due_at - self._clock()
            due_in = min(FORCED_WITHIN, until_due)
        if self._idle is not None:
            self._idle.note_due(self, due_in)
        return None if due_in is None else datetime.now(UTC) + timedelta(seconds=due_in)

    @property
    def due_at(self) -> float | None:
        """When the next group is due, in seconds since 1970; `None`: only messages complete it."""
        return self.shard.due_at if self.shard.open_groups else None

    def snapshot(self) -> None:
        """Return no state: messages of open groups are unacknowledged, so they are redelivered."""

    def _complete_forced(self, now: float) -> list[ShardOutput]:
        if self._obeyed == self._signals.completions:
            return []
        self._obeyed = self._signals.completions
        self._signals.announce_completion()
        return self.shard.complete(None, now)

    def _forget(self, lost: Lost) -> int:
        before = self._held
        self.shard.purge(lost.origin)
        return before - self._held

    def _open_stream(self, opened: StreamOpened) -> None:
        """Note which stream a consumer reads; only a state needs to know."""

    def _tell_forgotten(self) -> None:
        if not self._forgotten:
            log.warning(
                "aggregate.distinct.max_values is reached: the oldest values are forgotten before "
                "their time, so messages that were sent twice may count twice; raise it, or "
                "shorten aggregate.distinct.for"
            )
        metrics.DISTINCT_FORGOTTEN.inc(self.shard.forgotten_values - self._forgotten)
        self._forgotten = self.shard.forgotten_values

    @property
    def _held(self) -> int:
        return self.shard.held

    def _note(self, out: list[Leaving], entered: int = 0, forgotten: int = 0) -> None:
        """Count the members of one batch."""
        self._account.note(
            entered=entered,
            left=in_leaving(out),
            forgotten=forgotten,
            open=self._held,
            groups=self.shard.open_groups,
        )
        _count_departures(out)
        if self._tap.subscriptions:
            self._tap.offer([value for value in out if isinstance(value, Group)])
        if self.shard.forgotten_values > self._forgotten:
            self._tell_forgotten()
        if self.shard.late != self._late:
            for became, count in self.shard.late.items():
                metrics.LATE.labels(became).inc(count - self._late[became])
            self._late = dict(self.shard.late)


def _count_departures(values: list[Leaving]) -> None:
    reasons: dict[str, int] = {}
    recognised = sent_twice = 0
    for value in values:
        if isinstance(value, Group):
            if value.is_early:
                continue
            reasons[value.completed_by] = reasons.get(value.completed_by, 0) + 1
            members = value.summary.count if value.summary else len(value.members)
            metrics.GROUP_SIZE.observe(members)
            metrics.GROUP_SECONDS.observe(value.end - value.start)
        elif isinstance(value, DuplicateOfSent):
            sent_twice += value.is_sent_twice
            recognised += not value.is_sent_twice
    for reason, count in reasons.items():
        metrics.GROUPS.labels(reason).inc(count)
    if recognised:
        metrics.DEDUPLICATED.inc(recognised)
    if sent_twice:
        metrics.DUPLICATES.inc(sent_twice)
