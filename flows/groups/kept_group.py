"""What groups have in common whose durable state counts their members.

Pure. Their members are acknowledged before they are complete: so none of them leaves a group, and a
group that leaves settles none. The journal notes each change.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, NoReturn, Self

import msgspec

from connectors.message import Origin, Outcomes
from flows.groups.open_group import DuplicateOfOpen, weight
from flows.groups.rules import Rules
from flows.state.blocks import RowBlock
from flows.state.commit import Table
from flows.state.journal import Journal
from flows.state.rows import UNKNOWN, decoded, encoded
from flows.values.group import Member

RunningValues = list[Any] | bytes | None
"""Running values; packed, if no message has arrived since the last commit; `None`: there are none.
"""


class KeptGroup(msgspec.Struct, gc=False, eq=False):
    """An open group that has a row in the state.

    Python's garbage collector sees neither the group nor, while no message arrives, its running
    values, which are packed then: to look through a million groups would stop the dataflow.
    """

    _journal: Journal
    _rules: Rules
    key: str | None
    window: int | None
    opened_at: float
    last_at: float = 0.0
    count: int = 0
    bytes: int = 0
    size: int | None = None
    row: int = 0
    block: RowBlock | None = None
    """See `flows.state.blocks.KeptRow`."""
    has_early: bool = False
    """Its window may have an early summary."""
    _redelivered: bool = False
    _stored: int = 0
    """Bytes of the members that the state has, if the group keeps its members."""
    _reduced: RunningValues = None
    """Those of `reduce`."""
    _until: RunningValues = None
    """Those that `until` reads."""

    table: ClassVar[Table] = Table.GROUPS
    duplicates: ClassVar[Sequence[DuplicateOfOpen]] = ()
    """None: the shard recognises redelivered messages by the names that the state keeps."""

    def __post_init__(self) -> None:
        rules, self.last_at = self._rules, self.opened_at
        if rules.tally is not None and not rules.hold:
            self._reduced = rules.tally.start()
        if rules.until_tally is not None:
            self._until = rules.until_tally.start()

    def add(self, member: Member, now: float) -> None:
        """See `OpenGroup`; each kind of group does what is its own beside that."""
        rules = self._rules
        if rules.weighs:
            self.bytes += weight(member)
            if rules.until_tally:
                self._until = unpacked(self._until)
                rules.until_tally.add(self._until, member.values, self.count)
        if member.message.redelivered:
            self._redelivered = True
        self.count += 1
        self.last_at = now
        self._journal.taken_in(self, member, now)

    @property
    def redelivered(self) -> Sequence[Hashable]:
        """See `OpenGroup`; unknown ones, if there is any."""
        return UNKNOWN if self._redelivered else ()

    def add_duplicate(self, member: Member) -> bool:
        """See `OpenGroup`."""
        return False

    def purge(self, origin: Origin) -> list[Hashable]:
        """See `OpenGroup`; members stay, and their redelivered copies are recognised."""
        return []

    def so_far(self, member: Member) -> Sequence[Any]:
        """See `OpenGroup`."""
        self._until = unpacked(self._until)
        return self._rules.so_far([self._until], member, self.count)

    def identities(self) -> Sequence[Hashable]:
        """See `OpenGroup`; they are not in memory."""
        return UNKNOWN

    def dropped(self) -> list[Outcomes]:
        """See `OpenGroup`; its messages are acknowledged with the commit that counts them."""
        return []

    def everything(self) -> NoReturn:
        """See `OpenGroup`."""
        raise AssertionError("the state dead-letters the members of its groups")

    def forget(self) -> None:
        """See `OpenGroup`."""
        self._journal.gone(self)
        self._reduced = self._until = None

    def content(self) -> tuple[Any, ...]:
        """See `flows.state.blocks.KeptRow`: a `GroupRow`. Packs the running values."""
        if type(self._reduced) is list:
            self._reduced = encoded(self._reduced)
        if type(self._until) is list:
            self._until = encoded(self._until)
        return (  # not as a `GroupRow`: to make one costs as much as to pack the values
            *(self.key, self.window, self.opened_at, self.last_at, self.count, self.bytes),
            *(self.size, self._redelivered, self.has_early, self._stored, self._reduced),
            self._until,
        )

    def restore(self, row: int, content: tuple[Any, ...]) -> Self:
        """Continue with the content of a row; return the group."""
        self.row = row
        _, _, _, self.last_at, self.count, self.bytes, *others = content
        self.size, self._redelivered, self.has_early, self._stored, *states = others
        self._reduced, self._until = states
        return self


def unpacked(values: RunningValues) -> Any:
    """Return running values to read or to change."""
    return decoded(values) if type(values) is bytes else values
