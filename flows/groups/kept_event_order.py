"""A shard with state that adds messages to groups in the order of event time.

Pure.

Rule 1: a message that waits for earlier ones is not in the state, but unacknowledged: after a crash
        the broker redelivers it, as if it had not arrived before.
Rule 2: the shard's time is durable with the groups that have all messages before it. So a restart
        changes neither which messages are late nor which group a message enters.
Rule 3: a message of a stream that waits has an offset below the last one, as a rejected one has:
        it is not known (see `KnownOffsets`) until it enters its group.
Rule 4: a message of a stream that was late is late again when it is read again, although its key
        may have another group since then: it may be parked already.
"""

from __future__ import annotations

from connectors.message import Origin
from flows.groups.departures import ShardOutput
from flows.groups.event_order import EventOrderShard
from flows.groups.kept_shard import KeptShard
from flows.state.known_offsets import Place, place_of, rejected
from flows.state.rows import Header
from flows.values.group import Member


class KeptEventOrderShard(KeptShard, EventOrderShard):
    """The open groups of some keys, whose time is event time, durable."""

    @property
    def held(self) -> int:
        """See `KeptShard`; and messages that wait for earlier ones."""
        return super().held + len(self._waiting)

    def purge(self, origin: Origin) -> None:
        """See `KeptShard`. Rule 1."""
        self._forget_waiting(origin)
        super().purge(origin)

    def _header(self) -> Header:
        header = super()._header()  # Rule 2
        return header._replace(entered_below=self._shard_time, lag=self._time.lag)

    def _go_on(self, header: Header) -> None:
        super()._go_on(header)
        self._shard_time, self._time.lag_before = header.entered_below, header.lag

    def _waiting_among(self, members: list[Member]) -> set[Place]:
        return {place_of(member) for member in members if self._waits(member)}  # Rule 3

    def _was_late(self, member: Member) -> bool:
        return member.offset is not None and self._journal.offsets.rejects(member)  # Rule 4

    def _enter_first(self, out: list[ShardOutput]) -> None:
        member, entered = self._waiting[0][2], list[ShardOutput]()
        super()._enter_first(entered)
        if member.offset is not None:
            self._journal.offsets.seen([member], rejected([member], entered))
        out += entered
