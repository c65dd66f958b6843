"""What a shard makes durable at once, what it finds again after a restart, and where it is kept.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum, auto
from typing import NamedTuple, Protocol

from flows.values.begin import FolderView
from flows.values.group import Kept

Row = tuple[int, bytes]
"""A number, and what is stored under it."""


class Table(StrEnum):
    """What a shard keeps, as rows."""

    GROUPS = auto()
    """Open groups."""
    LEFT = auto()
    """Groups that are complete and wait for the sink, by their numbers."""
    NAMES = auto()
    """Names of messages that are counted, by the number of their commit."""
    DISTINCT_VALUES = auto()
    """Distinct values of messages that are counted, by the number of their commit."""
    CLOSED_KEYS = auto()
    """Keys of complete groups, by the number of their commit."""
    CLOSED_WINDOWS = auto()
    """Written groups in closed windows that late messages may amend."""
    OFFSETS = auto()
    """How far streams are counted (see `flows/state/known_offsets.py`)."""


class Changes(NamedTuple):
    """What changes in a table."""

    rows: Sequence[Row] = ()
    """Rows that are new, or replace the row with their number."""
    gone: Sequence[int] = ()
    """Numbers of rows that are no longer needed."""


OVERHEAD, OF_MEMBER = 1000, 500
"""Bytes that a group that waits for the sink takes beside its values: its objects, its document;
and that each of its members takes beside what is stored of it."""


class Waiting:
    """The groups of a shard that wait for the sink: which, and their bytes in memory."""

    def __init__(self) -> None:
        self.bytes = self.loaded = 0
        """Of all of them; and of the members that were read, which are a part of that."""
        self._sizes: dict[int, int] = {}
        self._loaded: dict[int, int] = {}

    def left(self, rows: Sequence[Row]) -> None:
        """Note groups that have left."""
        for number, stored in rows:
            self._sizes[number] = size = OVERHEAD + len(stored)
            self.bytes += size

    def load(self, number: int, kept: Kept) -> None:
        """Note that the members of a group come into memory."""
        size = kept.bytes + kept.members * OF_MEMBER
        self._loaded[number] = size
        self.bytes += size
        self.loaded += size

    def taken(self, number: int) -> None:
        """Note that the members of a group are read: those of an early summary are only counted."""
        if not self.has(number):
            self._unload(number)

    def has(self, number: int) -> bool:
        """Return whether a group has left, and is not forgotten."""
        return number in self._sizes

    def forget(self, number: int) -> None:
        """Note a group that is to be forgotten."""
        self.bytes -= self._sizes.pop(number)
        self._unload(number)

    def _unload(self, number: int) -> None:
        size = self._loaded.pop(number, 0)
        self.bytes -= size
        self.loaded -= size


class Commit(NamedTuple):
    """The changes of a shard since its last commit; they become durable together, or not at all."""

    number: int
    """Counts the commits of the shard, from 1."""
    header: bytes
    """What is known of the shard as a whole; it replaces the header before."""
    changes: Mapping[Table, Changes]
    """The tables that change."""
    members: Sequence[Row] = ()
    """New members of groups that keep them, by the rows of the groups, in their order; those of
    earlier commits stay."""
    dropped: Sequence[int] = ()
    """Rows of groups whose members are no longer needed."""

    def of(self, table: Table) -> Changes:
        """Return what changes in a table."""
        return self.changes.get(table, NO_CHANGES)


NO_CHANGES = Changes()


class Recovered(NamedTuple):
    """All that is durable of a shard; a new shard has no header."""

    header: bytes | None
    rows: Mapping[Table, Sequence[Row]]
    """The tables that are not empty, each in the order of the numbers."""

    def of(self, table: Table) -> Sequence[Row]:
        """Return the rows of a table."""
        return self.rows.get(table, ())


class Loaded(NamedTuple):
    """The members of a group that has left."""

    number: int
    """Number of the group."""
    members: list[bytes]
    """As in the commits, in their order."""


class Remembered(Protocol):
    """What a shard remembers of many messages, in rows by the number of their commit."""

    @property
    def table(self) -> Table:
        """The table with its rows."""

    def changes(self, number: int, now: float) -> Changes:
        """Return what the commit of this number adds, and what is forgotten."""

    def restore(self, rows: Sequence[Row]) -> None:
        """Remember what earlier commits have added, before anything else."""


class ShardStore(Protocol):
    """Keeps one shard: no method waits, except `recover`, `wait` and `close`.

    The `aggregate` step writes one commit at a time; `write` forgets groups on the same thread.
    """

    def recover(self) -> Recovered:
        """Read all that is durable."""

    def write(self, commit: Commit) -> None:
        """Make a commit durable in the background; retry without limit if the disk refuses it."""

    def take_durable(self) -> bool:
        """Return once, with `True`, that the commit that was written last is durable."""

    @property
    def waiting(self) -> Waiting:
        """The groups that have left and are not forgotten."""

    def load(self, number: int, kept: Kept) -> None:
        """Read members in the background: of a group that has left, or for an early summary."""

    def take_loaded(self) -> list[Loaded]:
        """Return once the groups whose members are read."""

    def forget(self, number: int, row: int) -> None:
        """Forget a group that has left, soon, and the members in its row (see `Kept`).

        Its documents are stored, or safely dead-lettered.
        """

    def wait(self) -> bool:
        """Wait until all that was asked for is durable and read, or an attempt has failed.

        Return whether all is.
        """

    def close(self) -> None:
        """Forget what is to be forgotten, and end the background work."""


class State(Protocol):
    """The state of a job: one store for each shard."""

    @property
    def token(self) -> str:
        """A text that no other state has; it makes the names of summaries unique."""

    @property
    def every(self) -> float:
        """Seconds after which a change is made durable, at the latest."""

    def view(self) -> FolderView:
        """Return what this process has of the state."""

    def begin(self, shard: str, views: Sequence[FolderView]) -> ShardStore:
        """Return the store of a shard of this process, and make it if the shard has no state yet.

        `views`: what each process of the cluster has of the state.

        Raises:
            Unavailable: the state of the shard is not there, but elsewhere, or lost.
        """

    def shard(self, name: str) -> ShardStore:
        """Return the store of a shard that has begun; the same object each time."""
