"""Notes what changes in a shard, and makes commits of it.

Pure. A message that is taken in stays taken in, also when its connection is lost before the commit:
its redelivered copy is recognised, and both are acknowledged when the commit is durable.

Rule 1: a commit is due once in each `every`, after `MOST` messages, or at once if a group has left:
        the group waits for it. If `SOME` messages wait, and no other has arrived for `QUIET`
        seconds, it is due too: the consumers may be full, and no message arrives before these are
        acknowledged.
Rule 2: one commit at a time is written; what changes meanwhile is in the next one.
Rule 3: outcomes and groups leave only when their commit is durable. So do rejections: the commit
        has what makes a message late, and a crash lets it not count a message that is parked.
Rule 4: the shards have turns, one soon after the other: each commit stops the dataflow for some
        milliseconds, and together they would stop it for the sum. But all turns are near whole
        multiples of `every`: a consumer acknowledges what all shards have in one run, so messages
        of the first shard wait for the last one.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from connectors.message import Origin, Outcomes, PartOutcome
from flows.state.blocks import Blocks, KeptRow, MembersRow
from flows.state.commit import Changes, Commit, Recovered, Remembered, Row, Table
from flows.state.known_names import KnownNames
from flows.state.known_offsets import KnownOffsets
from flows.state.recent_texts import RecentTexts
from flows.state.rows import Header, decoded_header, encoded_group, encoded_header
from flows.values.group import DISTINCT, Group, Member
from flows.values.identity import own_name

MOST = 1500
"""Messages in a commit. To encode a group takes 2 to 3 µs, during which the dataflow stops."""

SOME, QUIET = 100, 0.01
"""See rule 1. A commit of fewer messages costs more than it gains."""
APART, TURNS = 0.03, 40
"""Seconds between two turns, longer than a commit stops the dataflow; and the number of turns for
which there must be room in `every`, of which a job with eight shards takes a fifth. Rule 4."""


class Durable(NamedTuple):
    """What may leave the shard because a commit is durable."""

    outcomes: list[Outcomes]
    left: list[Group]


NOTHING = Durable([], [])


class Journal:
    """The changes of one shard since its last commit, and the names of the messages it counts."""

    def __init__(
        self,
        every: float,
        names: int,
        values: RecentTexts | None = None,
        keys: RecentTexts | None = None,
    ) -> None:
        """`every`: in seconds (rule 1); `names`: see `KnownNames`, `KnownOffsets`.

        `values`: distinct values, if messages have some; `keys`: of complete groups, if their
        messages are late.
        """
        self._every, self._header, self._turn_at = every, Header(), 0.0
        self._known, self.values, self.keys = KnownNames(names), values, keys
        self.offsets = KnownOffsets(names)
        remembered = (self._known, self.offsets, values, keys)
        self._remembered: Sequence[Remembered] = [one for one in remembered if one is not None]
        self.blocks: defaultdict[Table, Blocks] = defaultdict(Blocks)
        self._changed: dict[KeptRow, None] = {}
        self._have_new_members: dict[MembersRow, None] = {}
        self._members: list[Row] = []
        """New members of groups that are not open any more."""
        self._dropped: list[int] = []
        self._left: list[Group] = []
        self._early: list[Group] = []
        """Summaries of open windows, which leave with the next commit."""
        self._tags: dict[Origin, array[int]] = {}
        self._parts: dict[Origin, list[PartOutcome]] = {}
        self._rejected: list[Outcomes] = []
        self._due_at, self._count = inf, 0
        self._in_flight, self._in_flight_count = NOTHING, 0
        self._now = self._last_at = -inf
        """The time by the clock, and when the last message was taken in."""
        self._has_lost = False  # a connection, since the last commit
        self.is_busy = False
        """A commit is being written. Rule 2."""

    @property
    def messages(self) -> int:
        """Number of messages that wait for a commit to be durable."""
        return self._count + self._in_flight_count

    @property
    def forgotten_names(self) -> int:
        """See `KnownNames.forgotten`."""
        return self._known.forgotten

    @property
    def committed(self) -> int:
        """Number of the last group that left with a commit."""
        return self._header.group

    @property
    def due_at(self) -> float:
        """When the next commit is due, in seconds since 1970; infinity: nothing has changed."""
        if self._left or self._early or self._has_gone or self._count >= MOST:
            return -inf
        quiet_at = self._last_at + QUIET if self._count >= SOME else inf
        return min(self._due_at, quiet_at)

    @property
    def _has_gone(self) -> bool:
        return any(blocks.has_gone for blocks in self.blocks.values())

    def passes(self, now: float) -> None:
        """Note the time by the clock, in seconds since 1970."""
        self._now = now

    def taken_in(self, row: KeptRow, member: Member, now: float) -> None:
        """Note that a row counts a message; `now`: by the clock, or in event time (see `Shard`)."""
        self._changed[row] = None
        name = own_name(member)
        if name is not None:
            self._known.add(name)
        if member.marks & DISTINCT and self.values is not None:
            self.values.add(member.message_id, now)
        self.settle(member)

    def settle(self, member: Member) -> None:
        """Acknowledge a message with the next commit, which counts it, or an earlier one does."""
        origin, part = member.origin, member.part
        if part is not None:
            outcome = PartOutcome(member.message.tag, *part, kept=True)
            self._parts.setdefault(origin, []).append(outcome)
        elif (tags := self._tags.get(origin)) is not None:
            tags.append(member.message.tag)
        else:
            self._tags[origin] = array("Q", (member.message.tag,))
        self._waits(1)

    def rejected(self, outcomes: Outcomes) -> None:
        """Reject messages with the next commit."""
        self._rejected.append(outcomes)
        self._waits(len(outcomes.rejected) + len(outcomes.dropped) + len(outcomes.parts))

    def _waits(self, messages: int) -> None:
        self._count += messages
        self._last_at = self._now
        if self._due_at == inf:
            turns = (self._now - self._turn_at) // self._every
            self._due_at = (turns + 1) * self._every + self._turn_at

    def counts(self, member: Member) -> bool:
        """Return whether this message is counted already, by its name."""
        name = own_name(member)
        return name is not None and name in self._known

    def counts_copy(self, member: Member, now: float) -> bool:
        """Return whether a message with the same distinct value is counted."""
        return self.values is not None and self.values.has(member.message_id, now)

    def lost(self) -> None:
        """Note that a connection is lost: its messages are redelivered."""
        self._has_lost = True

    def changed(self, row: KeptRow) -> None:
        """Note that a row has changed."""
        self._changed[row] = None

    def gone(self, row: KeptRow) -> None:
        """Note that a row is no longer needed."""
        self._changed.pop(row, None)
        self.blocks[row.table].gone(row)

    def has_new_members(self, group: MembersRow) -> None:
        """Note that a group has members that are not in the state."""
        self._have_new_members[group] = None

    def add_members(self, group: MembersRow) -> None:
        """Add the new members of a group to its row, where they stay when the group leaves."""
        self._number(group)
        if group in self._have_new_members:
            del self._have_new_members[group]
            self._members.append((group.row, group.take_new_members()))

    def drops(self, group: MembersRow) -> None:
        """Note that a group that keeps its members is not written: they go with it."""
        self._have_new_members.pop(group, None)
        if group.row:
            self._dropped.append(group.row)

    def left(self, group: Group) -> None:
        """Note that a group is complete: it leaves when this is durable. Rule 3."""
        self._left.append(group)

    def early(self, group: Group) -> None:
        """Note the summary of an open group: it leaves when all that it counts is durable."""
        self._early.append(group)

    def commit(self, now: float, header: Header, *, last: bool) -> Commit | None:
        """Return what is to be made durable now, if a commit is due; `last`: in any case.

        `header`: what the shard knows of it; the journal numbers commits and rows.
        """
        changed = self._count or self._left or self._early or self._has_gone
        if self.is_busy or not changed or not (last or self.due_at <= now):
            return None
        if self._has_lost:
            self._has_lost = False
            self._known.pin(now)
        members = self._take_members()  # before the rows of their groups, which have their sizes
        changes = self._changes(now)
        number, row = self._header.commit + 1, self._header.row
        self._header = header._replace(commit=number, row=row, token=self._header.token)
        commit = Commit(number, encoded_header(self._header), changes, members, self._dropped)
        left = [*self._early, *self._left]
        self._in_flight, self._in_flight_count = Durable(self._outcomes(), left), self._count
        self._changed, self._dropped = {}, []
        self._left, self._early = [], []
        self._tags, self._parts, self._rejected = {}, {}, []
        self._due_at, self._count, self.is_busy = inf, 0, True
        return commit

    def durable(self) -> Durable:
        """Note that the commit is durable; return what may leave. Rule 3."""
        leaving, self._in_flight = self._in_flight, NOTHING
        self._in_flight_count, self.is_busy = 0, False
        return leaving

    def recover(self, recovered: Recovered, now: float, token: str, turn: int) -> Header:
        """Continue after what is durable; return its header.

        `token`: of a new shard; `turn`: its position among all shards. Rule 4.
        """
        self._now, self._header = now, decoded_header(recovered.header)
        self._turn_at = turn * min(APART, self._every / TURNS)
        if not self._header.token:
            self._header = self._header._replace(token=token)
        for each in self._remembered:
            each.restore(recovered.of(each.table))
        if recovered.header is not None:
            self._known.pin(now)
        return self._header

    def _changes(self, now: float) -> dict[Table, Changes]:
        """Return what the next commit changes, without the tables that stay as they are."""
        number = self._header.commit + 1
        rows: dict[Table, list[KeptRow]] = {table: [] for table in self.blocks}
        for each in self._changed:
            self._number(each)
            rows.setdefault(each.table, []).append(each)
        changes = {table: self.blocks[table].changes(number, each) for table, each in rows.items()}
        if self._left:
            changes[Table.LEFT] = Changes([encoded_group(each) for each in self._left])
        for remembered in self._remembered:
            changes[remembered.table] = remembered.changes(number, now)
        return {table: each for table, each in changes.items() if each.rows or each.gone}

    def _take_members(self) -> list[Row]:
        """Return the new members of all groups."""
        for group in [*self._have_new_members]:
            self.add_members(group)
        members, self._members = self._members, []
        return members

    def _number(self, one: KeptRow) -> None:
        """Number a row that has none yet."""
        if not one.row:
            one.row = self._header.row + 1
            self._header = self._header._replace(row=one.row)

    def _outcomes(self) -> list[Outcomes]:
        origins = dict.fromkeys([*self._tags, *self._parts])
        return self._rejected + [
            Outcomes(one, [], [], parts=self._parts.get(one, ()), kept=self._tags.get(one, ()))
            for one in origins
        ]
