"""The `aggregate` step of a shard that keeps state: writes its commits, and waits for the disk.

A `KeptShard` decides; the disk is in `flows/state/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

from connectors import metrics
from connectors.errors import Unavailable
from connectors.message import Lost, StreamOpened
from flows.audit.counters import Account
from flows.audit.oldest_groups import ShardView
from flows.groups.departures import Leaving, ShardOutput
from flows.groups.kept_shard import NAMES, KeptShard
from flows.state.commit import ShardStore, State
from flows.state.known_names import MOST_PINNED
from flows.steps.aggregate import Aggregate, log
from flows.steps.raised import remembered
from flows.steps.routing import ForShard
from flows.tap.points import TapPoint
from flows.values.begin import Begin, Begun, FolderView
from flows.values.group import Group
from flows.values.stop import Stop

LOG = logging.getLogger("hopper.aggregate")

DURABLE_AFTER, ROOM_AFTER = 0.002, 0.02
"""Seconds until the next look whether a commit is durable, and whether there is room for one."""


class KeptAggregate(Aggregate):
    """The `aggregate` step, for one shard with state."""

    shard: KeptShard

    def __init__(
        self,
        shard: KeptShard,
        state: State,
        memory: int,
        signals: Stop,
        account: Account | None = None,
        clock: Callable[[], float] | None = None,
        view: ShardView | None = None,
        tap: TapPoint[Group] | None = None,
    ) -> None:
        """See `Aggregate`; the first values tell the name of the shard.

        `memory`: bytes that groups may take that wait for the sink. If they take more, nothing is
        committed, so that messages stay unacknowledged and the prefetch fills; and nothing is read.
        """
        super().__init__(shard, signals, account, clock, view, tap)
        self._state, self._memory = state, memory
        self._recognised = self._sent_twice = self._forgotten_names = 0
        self._store: ShardStore | None = None
        self._views: dict[int, FolderView] = {}
        """By worker: what its process has of the state."""

    @remembered
    def on_batch(self, values: list[ForShard | Lost]) -> tuple[list[Leaving], bool]:
        """See `Aggregate`; no message arrives before it has a `Begin` of each worker."""
        if self._store is None:
            return self._begin([value for value in values if isinstance(value, Begin)]), self.RETAIN
        out, retain = super().on_batch(values)
        return [*out, *self._exchange()], retain

    @remembered
    def on_notify(self) -> tuple[list[Leaving], bool]:
        """See `Aggregate`; what has become durable leaves."""
        out, retain = super().on_notify()
        return [*out, *self._exchange()], retain

    @remembered
    def on_eof(self) -> tuple[list[Leaving], bool]:
        """Make all durable; what the disk refuses stays unacknowledged, and is redelivered."""
        out, retain = super().on_eof()
        if self._store is None:
            return out, retain
        out += self._all_durable(self._store)
        if self.shard.unread:
            log.warning(
                "%d groups that are complete stay in the state, because their messages do not fit "
                "into source.memory now: the next start writes them",
                self.shard.unread,
            )
        return out, retain

    def stop_some(self, most: int) -> list[Leaving]:
        """Complete the first open groups as a stop does, at most so many; wait for the disk."""
        assert self._store is not None, "the shard has begun"
        out: list[Leaving] = [*self.shard.stop_some(most)]
        self._note(out)
        return [*out, *self._all_durable(self._store)]

    def notify_at(self) -> datetime | None:
        """See `Aggregate`; and when a commit is due, or may be durable."""
        due, now = super().notify_at(), self._clock()
        at = self.shard.commit_due_at
        waits = self.shard.unread or self.shard.over
        if at == inf and self.shard.is_idle and not waits:
            return due
        if not self.shard.is_idle:
            at = now + DURABLE_AFTER
        elif self._is_full or waits:
            at = now + ROOM_AFTER
        soon = datetime.now(UTC) + timedelta(seconds=max(0.0, at - now))
        return soon if due is None else min(due, soon)

    @property
    def due_at(self) -> float | None:
        """See `Aggregate`."""
        due, commit = super().due_at, self.shard.commit_due_at if self.shard.is_idle else -inf
        if self.shard.is_idle and self._is_full:
            return due
        return due if commit == inf else commit if due is None else min(due, commit)

    @property
    def _is_full(self) -> bool:
        return self._store is not None and self._store.waiting.bytes >= self._memory

    def _begin(self, begins: list[Begin]) -> list[Leaving]:
        """Note the folder of each worker; after the last one, continue with what is durable."""
        self._views |= {begin.worker: begin.folder for begin in begins}
        shard, workers = begins[0].shard, begins[0].workers
        if len(self._views) < workers:
            return []
        try:
            store = self._state.begin(shard, [*self._views.values()])
            recovered = store.recover()
        except Unavailable as error:
            self._signals.fail(f"{shard}: {error}")
        self._store = store
        name, turn = shard.rpartition("/")[2], begins[0].turn
        left = self.shard.recover(recovered, self._clock(), name, turn)
        self._read(store)
        self._note([])
        self._view.update(self.shard)
        return [Begun(shard), *left]

    def _all_durable(self, store: ShardStore) -> list[ShardOutput]:
        """Make all durable; return what may leave, as far as there is room for its members."""
        store.wait()
        out = self._exchange(last=True)
        store.wait()
        out += self._exchange()
        while not self.shard.is_idle and store.wait():  # else the disk refuses
            out += self._exchange()
        return out

    def _exchange(self, *, last: bool = False) -> list[ShardOutput]:
        """Take what is durable, and write what is due; return what may leave."""
        store, out = self._store, list[ShardOutput]()
        if store is None:
            return out
        if store.take_durable():
            out = self.shard.durable()
        for loaded in store.take_loaded():
            out += self.shard.loaded(loaded)
        self.shard.release(store.waiting.has)
        self._note([*out])  # also where nothing leaves: groups may wait for a commit
        if last or not self._is_full:
            commit = self.shard.commit(self._clock(), last=last)
            if commit is not None:
                store.write(commit)
        self._read(store)
        self._count_copies()
        return out

    def _read(self, store: ShardStore) -> None:
        """Read the members of groups that have left, as far as there is room for members.

        What groups without them take is no reason to wait: only reading them makes room.
        """
        while self.shard.unread and store.waiting.loaded < self._memory:
            group = self.shard.next_to_read()
            assert group.kept is not None
            store.load(group.number, group.kept)

    def _open_stream(self, opened: StreamOpened) -> None:
        if self.shard.open_stream(opened):
            LOG.warning(
                "%s: another stream than before: it was made anew, or its offset queue was deleted "
                "and its first message is gone; so all of its messages are counted",
                opened.origin.consumer,
            )

    def _count_copies(self) -> None:
        recognised, sent_twice = self.shard.recognised, self.shard.sent_twice
        if recognised > self._recognised:
            metrics.DEDUPLICATED.inc(recognised - self._recognised)
            self._recognised = recognised
        if sent_twice > self._sent_twice:
            metrics.DUPLICATES.inc(sent_twice - self._sent_twice)
            self._sent_twice = sent_twice
        if self.shard.forgotten_names > self._forgotten_names:
            self._tell_forgotten_names()

    def _tell_forgotten_names(self) -> None:
        if not self._forgotten_names:
            log.warning(
                "more messages arrived since the start or a lost connection than the state "
                "remembers ids of: a message that the broker redelivers now may count twice; raise "
                "source.consumers, since each consumer adds %d ids for each shard",
                NAMES * MOST_PINNED,
            )
        metrics.IDS_FORGOTTEN.inc(self.shard.forgotten_names - self._forgotten_names)
        self._forgotten_names = self.shard.forgotten_names
