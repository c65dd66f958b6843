"""Adds messages to groups in the order of event time, so that `time` and `idle` go by it.

Pure. It is a shard whose clock is event time. It buffers a message until it expects no earlier one,
and then adds it to its group. So the groups do not depend on the order of arrival: a backlog makes
the same groups as the live stream.

Rule 1: The shard's time is the watermark minus `lateness`, rounded down to whole steps. So it
        advances between the same two messages, however many of them arrive together.
Rule 2: Messages before the shard's time enter their groups, the earliest first; then groups that
        end by it are complete.
Rule 3: A message that arrives with an event time before the shard's time enters the open group of
        its key if it is near enough, or opens a group that has not ended yet. Otherwise it is late.
Rule 4: A message between two groups does not join them if one has ended.
Rule 5: If every event time seen is beyond `ahead`, the watermark cannot advance; the clock then
        moves the shard's time after `idle_after`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf

from connectors.message import Origin
from flows.groups.departures import ShardOutput, with_merged_outcomes
from flows.groups.open_group import OpenGroup
from flows.groups.rules import MICROSECONDS, Rules
from flows.groups.shard import Shard
from flows.groups.watermark import Watermark
from flows.values.group import ALONE, Member, Progress


class EventOrderShard(Shard):
    """The open groups of some keys, whose time is event time."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        assert rules.event_order is not None
        self._order = rules.event_order
        self._time = Watermark(rules.partitions, self._order.idle_after)
        self._waiting: list[tuple[float, int, Member]] = []
        """Buffered messages: a heap by event time, then by arrival."""
        self._number = 0
        self._shard_time = -inf
        """Event time, in seconds since 1970; earlier messages are in their groups. Rule 1."""

    @property
    def open_groups(self) -> int:
        """Number of open groups; 1 if there are only buffered messages."""
        return max(super().open_groups, 1 if self._waiting else 0)

    @property
    def due_at(self) -> float | None:
        """See `Shard`."""
        due = self._open.next_due()
        at = min(due.at if due is not None else inf, self._waiting[0][0] if self._waiting else inf)
        if at == inf:
            return None
        reached = at + self._order.lateness + self._order.every
        by_messages = self._time.reaches(reached)
        if by_messages is not None:
            return by_messages
        return max(self._time.last_progress_at, reached) + self._order.idle_after  # Rule 5

    def add(self, members: list[Member], now: float) -> list[ShardOutput]:
        """See `Shard`."""
        out = self.complete_due(now)
        for member in members:
            if member.marks & ALONE or member.at is None:
                self._add_each([member], now, out)
            elif self._waits(member):
                self._number += 1
                heappush(self._waiting, (member.at, self._number, member))
                self.open_members += 1
            else:
                self._add_behind(member, member.at, out)
        return with_merged_outcomes(out)

    def _waits(self, member: Member) -> bool:
        """Return whether a message waits for earlier ones."""
        return not member.marks & ALONE and member.at is not None and member.at >= self._shard_time

    def note_progress(self, progress: Progress, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        self._time.note_progress(progress.partition, progress.at, now)
        return self.complete_due(now)

    def complete_due(self, now: float) -> list[ShardOutput]:
        """See `Shard`; `now` is by the clock. Rule 2."""
        at = self._time.at(now)
        if at > -inf:
            reached = self._shard_time = max(self._shard_time, self._step_before(at))
        elif now >= self._time.last_progress_at + self._order.idle_after:
            reached = self._step_before(now - self._order.idle_after)  # Rule 5
        else:
            reached = -inf
        out: list[ShardOutput] = []
        while self._waiting and self._waiting[0][0] < reached:
            self._enter_first(out)
        while (due := self._open.next_due()) is not None and due.at <= reached:
            for group in list(due.groups):
                self._leave(group, due.reason, out)
        return with_merged_outcomes(out)

    def _step_before(self, at: float) -> float:
        return self._order.start(self._order.closed_below(at)) / MICROSECONDS

    def complete(self, key: str | None, now: float) -> list[ShardOutput]:
        """See `Shard`; buffered messages enter their groups first."""
        out = self._enter_all(key)
        return with_merged_outcomes([*out, *super().complete(key, now)])

    def stop(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        if self._rules.leaves_open:
            return []
        return with_merged_outcomes([*self._enter_all(None), *super().stop(now)])

    def purge(self, origin: Origin) -> None:
        """See `Shard`."""
        self._forget_waiting(origin)
        super().purge(origin)

    def _forget_waiting(self, origin: Origin) -> None:
        kept = [waiting for waiting in self._waiting if waiting[2].origin != origin]
        self.open_members -= len(self._waiting) - len(kept)
        heapify(kept)
        self._waiting = kept

    def _enter_all(self, key: str | None) -> list[ShardOutput]:
        out: list[ShardOutput] = []
        others = [one for one in self._waiting if key is not None and one[2].key != key]
        self._waiting = [one for one in self._waiting if key is None or one[2].key == key]
        heapify(self._waiting)
        while self._waiting:
            self._enter_first(out)
        heapify(others)
        self._waiting = others
        return out

    def _enter_first(self, out: list[ShardOutput]) -> None:
        at, _, member = heappop(self._waiting)
        self.open_members -= 1
        group = self._group_of(member)
        reason = None if group is None else self._ended_by(group, at)
        if group is not None and reason is not None:
            self._leave(group, reason, out)
        self._place(member, at, out)

    def _place(self, member: Member, at: float, out: list[ShardOutput]) -> None:
        """Add a message to the group of its key; the group spans all its event times."""
        group = self._group_of(member)
        first_at, last_at = (at, at) if group is None else (group.opened_at, group.last_at)
        self._add_each([member], at, out)
        if group is not None and self._group_of(member) is group:
            group.last_at = max(at, last_at)
            if at < first_at:
                self._open.opened_earlier(group, at)

    def _add_behind(self, member: Member, at: float, out: list[ShardOutput]) -> None:
        """Add a message whose event time is before the shard's time. Rule 3."""
        copied = self._rules.recognise and self._departures.redeliveries.may_have_copy(member)
        if self._goes_alone(member, copied, at, out):
            return
        group = self._group_of(member)
        is_open = self._end_of(at, at) > self._shard_time
        is_early = is_open if group is None else self._is_near(group, at)
        if is_early and not self._was_late(member):
            self._place(member, at, out)
        elif not self._late.take(member, None, at, out, "group is over"):
            alone = self._open.make(member.key, None, at)
            alone.add(member, at)
            self._departures.leave(alone, "late", out)

    def _was_late(self, member: Member) -> bool:
        """Return whether the message has arrived before, and was late then."""
        return False

    def _group_of(self, member: Member) -> OpenGroup | None:
        return self._open.of_window(None).get(member.key)

    def _is_near(self, group: OpenGroup, at: float) -> bool:
        """Return whether an open group may still take a message behind the shard's time."""
        return at > group.opened_at - (self._rules.idle or 0.0) or at == group.opened_at

    def _end_of(self, first_at: float, last_at: float) -> float:
        """Return when a group ends, from the times of its first and last message."""
        rules = self._rules
        by_age = inf if rules.time is None else first_at + rules.time
        return min(by_age, inf if rules.idle is None else last_at + rules.idle)

    def _ended_by(self, group: OpenGroup, at: float) -> str | None:
        if at < self._end_of(group.opened_at, group.last_at):
            return None
        by_age = self._end_of(group.opened_at, inf)
        return "time" if by_age <= self._end_of(inf, group.last_at) else "idle"
