"""A shard whose open groups are durable: messages are acknowledged before their groups leave.

Pure. The `aggregate` step writes its commits, and tells it when they are durable.

Rule 1: a message that the state counts already, or whose distinct value it has, is acknowledged
        with the next commit, and has no other effect.
Rule 2: a group leaves when the commit without it, which has its summary, is durable. After a
        restart it leaves again, as the same document.
Rule 3: messages of a lost connection stay in their groups.
Rule 4: a group that keeps its members has them on the disk. They are read when the group leaves, as
        far as there is room in memory; the groups that left first are first.
Rule 5: messages of a stream are recognised by their offsets (see `KnownOffsets`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

from msgspec.structs import replace

from connectors.message import Origin, Outcomes, StreamOpened
from flows.groups.departures import ShardOutput
from flows.groups.kept_departures import KeptDepartures
from flows.groups.kept_held import Alone, KeptHeld, with_members
from flows.groups.kept_running import KeptRunning
from flows.groups.open_groups import MakeGroup
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from flows.groups.windows import Windows
from flows.state.commit import Commit, Loaded, Recovered, Table
from flows.state.journal import Journal
from flows.state.known_offsets import Place, rejected
from flows.state.recent_texts import RecentTexts
from flows.state.rows import Header, decoded_group, name_of_group
from flows.values.group import DISTINCT, EarlyRevision, FirstRevision, Group, Member, Progress

NAMES = 65_536
"""Names of messages to remember for each consumer: more than the largest prefetch."""


class KeptShard(Shard):
    """The open groups of some keys, with a journal of their changes."""

    def __init__(self, rules: Rules, every: float, token: str, alone: Alone) -> None:
        """`every`: seconds after which a change is made durable, at the latest.

        `token`: of the state; it makes the names of groups unique. `alone`: see `Alone`.
        """
        names = NAMES * max(1, len(rules.partitions))
        self._journal = Journal(every, names, _values(rules), _keys(rules))
        self._token, self._closed_below = token, -inf
        # By the clock no message is late, even if the clock was set back while no job ran.
        self._goes_by_event_time = rules.tumbling is not None and rules.tumbling.by_event
        self.recognised = 0
        """Number of redelivered messages that were counted already. Rule 1."""
        self.sent_twice = 0
        """Number of messages with the distinct value of one that is counted. Rule 1."""
        self._unread: deque[Group] = deque()
        """Groups that have left, and whose members are to be read. Rule 4."""
        self._reading: dict[int, Group] = {}
        """Those whose members are being read, by their numbers."""
        self._alone = alone
        super().__init__(rules)

    @property
    def held(self) -> int:
        """See `Shard`; messages that wait for their commit."""
        return self._journal.messages

    @property
    def forgotten_values(self) -> int:
        """See `Shard`."""
        return 0 if self._journal.values is None else self._journal.values.forgotten

    @property
    def forgotten_names(self) -> int:
        """Number of names of messages that were forgotten early, since there were too many."""
        return self._journal.forgotten_names

    @property
    def is_idle(self) -> bool:
        """No commit is being written, and no members are being read."""
        return not (self._journal.is_busy or self._reading)

    @property
    def unread(self) -> int:
        """Number of groups that have left, and wait for room for their members. Rule 4."""
        return len(self._unread)

    @property
    def over(self) -> int:
        """See `KeptDepartures`."""
        return self._kept.over

    @property
    def _kept(self) -> KeptDepartures:
        assert isinstance(self._departures, KeptDepartures)
        return self._departures

    @property
    def commit_due_at(self) -> float:
        """When the next commit is due; infinity: nothing has changed."""
        return self._journal.due_at

    def add(self, members: list[Member], now: float) -> list[ShardOutput]:
        """See `Shard`. Rule 5."""
        self._journal.passes(now)
        if not members or members[0].offset is None:
            return self._withheld(super().add(members, now))
        known, others = self._journal.offsets.split(members)
        for member in known:
            self._journal.settle(member)
        self.recognised += len(known)
        out = super().add(others, now)
        self._journal.offsets.seen(others, rejected(others, out), self._waiting_among(others))
        return self._withheld(out)

    def open_stream(self, opened: StreamOpened) -> bool:
        """Note which stream a consumer reads; return whether it was made anew. Rule 5."""
        return self._journal.offsets.open(opened)

    def note_progress(self, progress: Progress, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().note_progress(progress, now))

    def complete_due(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        self._journal.passes(now)
        return self._withheld(super().complete_due(now))

    def complete(self, key: str | None, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().complete(key, now))

    def stop(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().stop(now))

    def stop_some(self, most: int) -> list[ShardOutput]:
        """Complete the first open groups as `stop` does, at most so many."""
        groups = () if self._rules.leaves_open else self._open.oldest(most)
        return self._withheld(self._leave_all(groups, "stop"))

    def purge(self, origin: Origin) -> None:
        """See `Shard`. Rule 3."""
        self._journal.lost()

    def commit(self, now: float, *, last: bool = False) -> Commit | None:
        """Return what is to be made durable now; `None`: nothing. `last`: the job stops."""
        return self._journal.commit(now, self._header(), last=last)

    def release(self, waits: Callable[[int], bool]) -> None:
        """See `KeptDepartures`; a group that no commit has yet waits too."""
        committed = self._journal.committed
        self._kept.release(lambda number: number > committed or waits(number))

    def durable(self) -> list[ShardOutput]:
        """Note that the commit is durable; return what may leave now. Rule 2."""
        leaving = self._journal.durable()
        return [*leaving.outcomes, *self._with_values(leaving.left)]

    def next_to_read(self) -> Group:
        """Return a group whose members the caller reads now; there is an `unread` one."""
        group = self._unread.popleft()
        self._reading[group.number] = group
        return group

    def loaded(self, loaded: Loaded) -> list[Group]:
        """Return the group whose members are read; it may leave."""
        return [with_members(self._reading.pop(loaded.number), self._rules, loaded.members)]

    def recover(
        self, recovered: Recovered, now: float, name: str = "", turn: int = 0
    ) -> list[ShardOutput]:
        """Continue with what is durable; return the groups that have left. Rule 2.

        `name`: of the shard; numbers of groups are unique within it. `turn`: see `Journal`.
        """
        header = self._journal.recover(recovered, now, self._token + (name and f".{name}"), turn)
        self._token = header.token
        left = [decoded_group(row, self._token) for row in recovered.of(Table.LEFT)]
        self._kept.recover(recovered.of(Table.CLOSED_WINDOWS), left, header, now)
        self._go_on(header)
        blocks = self._journal.blocks[Table.GROUPS]
        groups = blocks.restore(recovered.of(Table.GROUPS), self._recovered)
        self._open.recover(groups)
        for group in groups:
            self._count(group, 1)
        return [*self._with_values(left)]

    def _go_on(self, header: Header) -> None:
        """Go on at the time of an earlier process."""
        self._closed_below = header.closed_below
        if self._windows is not None:
            self._windows.go_on(header.lag)

    def _header(self) -> Header:
        """Return what the next commit says of the shard."""
        header = Header(group=self._departures.number)
        if self._windows is not None and self._goes_by_event_time:
            # A process that stops at once has only what the earlier one knew.
            closed_below = max(self._windows.closed_below, self._closed_below)
            header = header._replace(closed_below=closed_below, lag=self._windows.lag)
        amendments = self._departures.amendments
        if amendments is None:
            return header
        known_from, over_below = amendments.known_from, amendments.over_below
        return header._replace(known_from=known_from, over_below=over_below)

    def _kind_of_group(self) -> MakeGroup:
        if self._rules.hold:
            return partial(KeptHeld, self._journal, alone=self._alone)
        return partial(KeptRunning, self._journal)

    def _make_departures(self) -> KeptDepartures:
        return KeptDepartures(self._rules, self._windows, self._journal, self._alone)

    def _recovered(self, row: int, content: tuple[Any, ...]) -> KeptHeld | KeptRunning:
        key, window, opened_at, *_ = content
        group = self._open.make(key, window, opened_at)
        assert isinstance(group, KeptHeld | KeptRunning)
        return group.restore(row, content)

    def _with_values(self, left: list[Group]) -> list[Group]:
        """Return those of the groups that may leave now; the others wait. Rule 4."""
        self._unread += [group for group in left if group.summary is None]
        return [group for group in left if group.summary is not None]

    def _advance(self, windows: Windows, now: float) -> None:
        super()._advance(windows, now)
        windows.closed_below = max(windows.closed_below, self._closed_below)

    def _goes_alone(self, member: Member, copied: bool, now: float, out: list[ShardOutput]) -> bool:
        if copied and self._journal.counts(member):  # Rule 1
            self._settle(member)
            return True
        return super()._goes_alone(member, False, now, out)

    def _was_sent_before(self, member: Member, now: float, out: list[ShardOutput]) -> bool:
        if not self._journal.counts_copy(member, now):  # Rule 1
            return False
        self._settle(member)
        return True

    def _settle(self, member: Member) -> None:
        self._journal.settle(member)
        if member.message.redelivered or not member.marks & DISTINCT:
            self.recognised += 1
        else:
            self.sent_twice += 1

    def _waiting_among(self, members: list[Member]) -> set[Place]:
        """Return the places of those of the members that wait for others. Rule 5."""
        return set()

    def _withheld(self, out: list[ShardOutput]) -> list[ShardOutput]:
        """Keep groups and outcomes that leave until they are durable; return the other values."""
        others: list[ShardOutput] = []
        for value in out:
            if isinstance(value, Outcomes):
                self._journal.rejected(value)
            elif not isinstance(value, Group):
                others.append(value)
            elif value.of_window == EarlyRevision():
                self._journal.early(value)
            else:
                self._journal.left(self._named(value))
        return others

    def _named(self, group: Group) -> Group:
        """Return a group that leaves with its name."""
        kept, summary = group.kept, group.summary
        assert kept is not None
        name = name_of_group(self._token, group.number, group.of_window)
        if summary is not None:
            summary = replace(summary, name=name)
        stays = self._rules.amends and isinstance(group.of_window, FirstRevision)
        return group._replace(summary=summary, kept=kept._replace(name=name, stays=stays))


def _values(rules: Rules) -> RecentTexts | None:
    if rules.distinct_for is None:
        return None
    return RecentTexts(Table.DISTINCT_VALUES, rules.max_distinct, rules.distinct_for)


def _keys(rules: Rules) -> RecentTexts | None:
    return RecentTexts(Table.CLOSED_KEYS, rules.remember) if rules.remember else None
