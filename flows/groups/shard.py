"""Decides which messages leave together: keeps the open groups of one shard, and completes them.

Pure: `now` is an argument, in seconds since 1970, by a clock that never goes back. It knows neither
the source of messages nor the target of groups.

Rule 1: A message enters the open group of its key and of its aligned window, if windows are
        aligned, or opens one. The age of a group counts from its first message.
Rule 2: The message that completes a group is a member of it. If several rules complete it at once,
        the reason is the first of `last`, `until`, `size`, `count`, `bytes`.
Rule 3: A message at exactly the end of `time`, `idle` or a window belongs to the next group.
Rule 4: A message marked `FIRST` completes the open group before it, and opens the next.
Rule 5: A message of a closed window or a closed key is late.
Rule 6: Messages of a lost connection leave the open groups, because they will be redelivered.
Rule 7: If there are too many open groups, the one opened first leaves.
Rule 8: A message whose distinct value an earlier one has enters no group, in whichever window: it
        waits beside the first copy, and gets its outcome.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

from connectors.message import Origin, Rejection
from flows.conditions import user_functions
from flows.groups.departures import Departures, ShardOutput, with_merged_outcomes
from flows.groups.held import HeldGroup
from flows.groups.late import Late
from flows.groups.open_group import OpenGroup, weights, with_member
from flows.groups.open_groups import MakeGroup, OpenGroups
from flows.groups.rules import Rules
from flows.groups.running import Running
from flows.groups.windows import Windows
from flows.outcomes import outcomes
from flows.values.group import ALONE, DISTINCT, FIRST, LAST, DuplicateOfSent, Member, Progress
from flows.values.identity import of_key


class Shard:
    """The open groups of some keys; without keys, of the messages of one consumer."""

    def __init__(self, rules: Rules) -> None:
        self.open_members = self.open_duplicates = 0
        self._rules = rules
        self._windows = Windows(rules.tumbling, rules) if rules.tumbling else None
        self._open = OpenGroups(rules, self._windows, self._kind_of_group())
        self._departures = self._make_departures()
        self._late = Late(rules, self._departures)

    @property
    def open_groups(self) -> int:
        """Number of open groups."""
        return self._open.count

    @property
    def held(self) -> int:
        """Number of messages that have entered, and have not left."""
        return self.open_members + self.open_duplicates

    def oldest(self, most: int) -> list[OpenGroup]:
        """Return the open groups that were opened first, at most so many; of the first windows."""
        return self._open.oldest(most)

    @property
    def late(self) -> Mapping[str, int]:
        """Number of late messages by result: see `Late.counts`."""
        return self._late.counts

    @property
    def forgotten_values(self) -> int:
        """Number of distinct values that were forgotten early, since there were too many."""
        return 0 if self._departures.distinct is None else self._departures.distinct.forgotten

    @property
    def due_at(self) -> float | None:
        """When `complete_due` next completes a group if nothing arrives; seconds since 1970."""
        due = self._open.next_due()
        return None if due is None else due.at

    def add(self, members: list[Member], now: float) -> list[ShardOutput]:
        """Add messages in order; return what leaves by now."""
        out = self.complete_due(now)  # Rule 3
        if self._rules.sliced:
            self._add_slices(members, now, out)
            return out
        self._add_each(members, now, out)
        self._late.settle(out)
        for group in self._open.take_reopened():
            self._leave(group, "late", out)
        return with_merged_outcomes(out)

    def note_progress(self, progress: Progress, now: float) -> list[ShardOutput]:
        """Note the event time of a source partition; return the groups that this completes."""
        if self._windows is not None:
            self._advance(self._windows, now)  # the time until now goes by the earlier progress
            self._windows.note_progress(progress, now)
        return self.complete_due(now)

    def complete_due(self, now: float) -> list[ShardOutput]:
        """Complete the groups that `time`, `idle` or the end of their window completes by now.

        In that order, if they are due at the same moment.
        """
        out: list[ShardOutput] = []
        if self._windows is not None:
            self._advance(self._windows, now)
        while (due := self._open.next_due()) is not None and due.at <= now:
            for group in list(due.groups):
                self._leave(group, due.reason, out)
        return with_merged_outcomes(out)

    def complete(self, key: str | None, now: float) -> list[ShardOutput]:
        """Complete the open groups of a key; `None`: all open groups."""
        return self._leave_all(self._open.all() if key is None else self._open.under(key), "forced")

    def stop(self, now: float) -> list[ShardOutput]:
        """Complete all open groups for a drain, or none if `on_stop` leaves them open."""
        return [] if self._rules.leaves_open else self._leave_all(self._open.all(), "stop")

    def purge(self, origin: Origin) -> None:
        """Forget the messages of a lost connection. Rule 6."""
        for group in self._open.all():
            self._count(group, -1)
            self._departures.new_here.lost(group.purge(origin))
            self._count(group, 1)
            if not group.count:
                self._open.remove(group)
                group.forget()

    def _kind_of_group(self) -> MakeGroup:
        return Running if self._rules.tally and not self._rules.hold else HeldGroup

    def _make_departures(self) -> Departures:
        return Departures(self._rules, self._windows)

    def _advance(self, windows: Windows, now: float) -> None:
        amendments = self._departures.amendments
        if amendments is None:
            windows.advance(now)
        else:
            amendments.follow(windows, now)

    def _add_slices(self, members: list[Member], now: float, out: list[ShardOutput]) -> None:
        """Add messages of which no rule looks at a single one."""
        while members:
            group = self._open.of_window(None).get(None) or self._open.open(None, None, now)
            assert isinstance(group, HeldGroup)
            taken, size, reason = self._fill(group, members)
            group.extend(members[:taken], size, now)
            self.open_members += taken
            members = members[taken:]
            if reason is not None:
                self._leave(group, reason, out)

    def _fill(self, group: HeldGroup, members: list[Member]) -> tuple[int, int, str | None]:
        """Return how many members a group takes, their bytes, and the reason that completes it.

        Rule 2.
        """
        rules, taken, size, reason = self._rules, len(members), 0, None
        if rules.count is not None and taken >= rules.count - group.count:
            taken, reason = rules.count - group.count, "count"
        if rules.bytes is not None:
            sizes = list(accumulate(weights(members[:taken])))
            crossed = bisect_left(sizes, rules.bytes - group.bytes)
            if crossed < taken - 1 or (crossed < taken and reason is None):
                taken, reason = crossed + 1, "bytes"
            size = sizes[taken - 1]
        return taken, size, reason

    def _add_each(self, members: list[Member], now: float, out: list[ShardOutput]) -> None:
        """Add messages one by one. Each line of this loop costs time for every message."""
        windows, window, groups = self._windows, None, self._open.of_window(None)
        recognise, idle = self._rules.recognise, self._rules.idle is not None
        redeliveries = self._departures.redeliveries
        for member in members:
            marks = member.marks
            copied = recognise and (member.message.redelivered or bool(redeliveries))
            copied = copied and redeliveries.may_have_copy(member)
            if (copied or marks) and self._goes_alone(member, copied, now, out):
                continue
            if windows is not None:
                window = windows.of(member, now)
                groups = self._open.of_window(window)
            group = groups.get(member.key)
            if group is not None and copied and group.add_duplicate(member):
                self.open_duplicates += 1
                continue
            if group is not None and marks & FIRST:  # Rule 4
                self._leave(group, "first", out)
                group = None
            if group is None:
                if self._is_late(member, window) and self._late.take(member, window, now, out):
                    continue
                group = self._open_group(member.key, window, now, out)
            elif idle:
                self._open.touch(group, now)
            self._take_in(group, member, now, out)

    def _goes_alone(self, member: Member, copied: bool, now: float, out: list[ShardOutput]) -> bool:
        """Handle a member whose first copy has left, or that is `ALONE`; return whether it did."""
        if member.marks & DISTINCT and self._was_sent_before(member, now, out):
            return True
        duplicate = self._departures.duplicate_of_sent(member) if copied else None
        if duplicate is not None:
            out.append(duplicate)
        elif member.marks & ALONE:
            alone = self._open.make(None, None, now)
            alone.add(member, now)
            self._departures.leave(alone, "alone", out)
        else:
            return False
        return True

    def _was_sent_before(self, member: Member, now: float, out: list[ShardOutput]) -> bool:
        """Handle a message whose distinct value an earlier one has; remember it otherwise. Rule 8.

        Return whether it did.
        """
        values, name = self._departures.distinct, member.message_id
        if values is None:
            return False
        first = values.find(name, now)
        if first is not None and first.number is None:
            self._late.settle(out)  # the first copy may be a late message of this batch
            group = self._open.of_window(first.window).get(member.key)
            if group is not None and group.add_duplicate(member):
                self.open_duplicates += 1
                return True
        if first is not None and first.number is not None:
            position = 0 if self._rules.reduced else first.position
            out.append(DuplicateOfSent(member, first.number, position))
            return True
        window = None if self._windows is None else self._windows.of(member, now)
        values.remember(name, window, now)
        return False

    def _take_in(
        self, group: OpenGroup, member: Member, now: float, out: list[ShardOutput]
    ) -> None:
        """Add a member to its group, and write the group if that completes it. Rule 2."""
        rules, last, met = self._rules, member.marks & LAST, False
        if rules.until is not None and not last:
            try:
                met = rules.until.test(member.values, with_member(group, member, now)) is True
            except user_functions.Failed as error:
                rejection = Rejection(f"condition_failed: {error}{of_key(member.key)}")
                out += outcomes.rejected([member], rejection)
                if not group.count:
                    self._open.remove(group)
                return
        group.add(member, now)
        self.open_members += 1
        if member.size is not None:
            group.size = member.size
        if last:
            self._leave(group, "last", out)
        elif met:
            self._leave(group, "until", out)
        elif group.size is not None and group.count >= group.size:
            self._leave(group, "size", out)
        elif rules.count is not None and group.count >= rules.count:
            self._leave(group, "count", out)
        elif rules.bytes is not None and group.bytes >= rules.bytes:
            self._leave(group, "bytes", out)

    def _is_late(self, member: Member, window: int | None) -> bool:
        """Return whether the window or the key of a member is closed. Rule 5."""
        if window is not None and self._windows is not None:
            return window < self._windows.closed_below
        closed_keys = self._departures.closed_keys
        return closed_keys is not None and member.key in closed_keys

    def _open_group(
        self, key: str | None, window: int | None, now: float, out: list[ShardOutput]
    ) -> OpenGroup:
        group = self._open.open(key, window, now)
        if self._rules.max_groups is not None and self._open.count > self._rules.max_groups:
            self._leave(self._open.eldest(), "room", out)  # Rule 7
        return group

    def _leave_all(self, groups: Iterable[OpenGroup], reason: str) -> list[ShardOutput]:
        out: list[ShardOutput] = []
        for group in groups:
            self._leave(group, reason, out)
        return with_merged_outcomes(out)

    def _leave(self, group: OpenGroup, reason: str, out: list[ShardOutput]) -> None:
        self._count(group, -1)
        self._departures.leave(group, reason, out)
        self._open.remove(group)

    def _count(self, group: OpenGroup, sign: int) -> None:
        self.open_members += sign * group.count
        self.open_duplicates += sign * len(group.duplicates)
