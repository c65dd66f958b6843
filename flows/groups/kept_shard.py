"""A shard whose open groups are durable: messages are acknowledged before their groups leave.

Pure. The `aggregate` step writes its commits, and tells it when they are durable.

Rule 1: a message that the state counts already, or whose distinct value it has, is acknowledged
        with the next commit, and has no other effect.
Rule 2: a group leaves when the commit without it, which has its summary, is durable. After a
        restart it leaves again, as the same document.
Rule 3: messages of a lost connection stay in their groups.
"""

from __future__ import annotations

from functools import partial
from math import inf

from msgspec.structs import replace

from connectors.message import Origin
from flows.groups.departures import ShardOutput
from flows.groups.kept_departures import KeptDepartures
from flows.groups.kept_group import KeptGroup, recovered_group
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from flows.groups.windows import Windows
from flows.state.commit import Commit, Recovered, Table
from flows.state.journal import Journal
from flows.state.recent_texts import RecentTexts
from flows.values.group import DISTINCT, Group, Member, Progress

NAMES = 65_536
"""Names of messages to remember for each consumer: more than the largest prefetch."""


class KeptShard(Shard):
    """The open groups of some keys, with a journal of their changes."""

    def __init__(self, rules: Rules, every: float, token: str) -> None:
        """`every`: seconds after which a change is made durable, at the latest.

        `token`: makes the names of summaries unique.
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
        journal = self._journal
        super().__init__(rules, partial(KeptGroup, journal), partial(KeptDepartures, journal))

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
        """No commit is being written."""
        return not self._journal.is_busy

    @property
    def commit_due_at(self) -> float:
        """When the next commit is due; infinity: nothing has changed."""
        return self._journal.due_at

    def add(self, members: list[Member], now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().add(members, now))

    def note_progress(self, progress: Progress, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().note_progress(progress, now))

    def complete_due(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().complete_due(now))

    def complete(self, key: str | None, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().complete(key, now))

    def stop(self, now: float) -> list[ShardOutput]:
        """See `Shard`."""
        return self._withheld(super().stop(now))

    def purge(self, origin: Origin) -> None:
        """See `Shard`. Rule 3."""
        self._journal.lost()

    def commit(self, now: float, *, last: bool = False) -> Commit | None:
        """Return what is to be made durable now; `None`: nothing. `last`: the job stops."""
        number, closed_below = self._departures.number, -inf
        if self._windows is not None and self._goes_by_event_time:
            closed_below = self._windows.closed_below
        return self._journal.commit(now, number, closed_below, last=last)

    def durable(self) -> list[ShardOutput]:
        """Note that the commit is durable; return what may leave now. Rule 2."""
        leaving = self._journal.durable()
        return [*leaving.outcomes, *leaving.left]

    def recover(self, recovered: Recovered, now: float) -> list[ShardOutput]:
        """Continue with what is durable; return the groups that have left. Rule 2."""
        header, left = self._journal.recover(recovered, now)
        self._departures.number, self._closed_below = header.group, header.closed_below
        rows = recovered.of(Table.GROUPS)
        groups = [recovered_group(self._journal, self._rules, row) for row in rows]
        self._open.recover(groups)
        for group in groups:
            self._count(group, 1)
        return [*left]

    def _advance(self, windows: Windows, now: float) -> None:
        super()._advance(windows, now)
        windows.closed_below = max(windows.closed_below, self._closed_below)

    def _goes_alone(self, member: Member, copied: bool, now: float, out: list[ShardOutput]) -> bool:
        if copied and self._journal.counts(member):  # Rule 1
            self._settle(member, now)
            return True
        return super()._goes_alone(member, False, now, out)

    def _was_sent_before(self, member: Member, now: float, out: list[ShardOutput]) -> bool:
        if not self._journal.counts_copy(member, now):  # Rule 1
            return False
        self._settle(member, now)
        return True

    def _settle(self, member: Member, now: float) -> None:
        self._journal.settle(member, now)
        if member.message.redelivered or not member.marks & DISTINCT:
            self.recognised += 1
        else:
            self.sent_twice += 1

    def _withheld(self, out: list[ShardOutput]) -> list[ShardOutput]:
        """Keep the groups that leave until they are durable; return the other values."""
        others: list[ShardOutput] = []
        for value in out:
            if isinstance(value, Group) and not value.kept:
                assert value.summary is not None, "a group of the state is a summary"
                summary = replace(value.summary, name=f"{self._token}.{value.number}")
                self._journal.left(value._replace(summary=summary, kept=True))
            else:
                others.append(value)
        return others


def _values(rules: Rules) -> RecentTexts | None:
    if rules.distinct_for is None:
        return None
    return RecentTexts(Table.DISTINCT_VALUES, rules.max_distinct, rules.distinct_for)


def _keys(rules: Rules) -> RecentTexts | None:
    return RecentTexts(Table.CLOSED_KEYS, rules.remember) if rules.remember else None
