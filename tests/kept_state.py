"""A state in memory that outlives a simulated process; a test decides when a commit is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flows.state.commit import Commit, Loaded, Recovered, Table, Waiting
from flows.values.begin import FolderView
from flows.values.group import Kept


class MemoryShard:
    """One shard (see `flows.state.commit.ShardStore`)."""

    def __init__(self, at_once: Callable[[], bool]) -> None:
        """`at_once`: returns whether each commit is durable at once."""
        self._at_once = at_once
        self.header: bytes | None = None
        self.tables: dict[Table, dict[int, bytes]] = {table: {} for table in Table}
        self.members: dict[int, list[bytes]] = {}
        """Members of groups, by the rows of the groups."""
        self.written: Commit | None = None
        """The commit that is not durable yet."""
        self.to_forget: list[tuple[int, int]] = []
        self._loaded: list[Loaded] = []
        self._told = False
        self.waiting = Waiting()

    def recover(self) -> Recovered:
        self.waiting = Waiting()
        rows = {table: sorted(rows.items()) for table, rows in self.tables.items() if rows}
        recovered = Recovered(self.header, rows)
        self.waiting.left(recovered.of(Table.LEFT))
        return recovered

    def write(self, commit: Commit) -> None:
        assert self.written is None, "one commit at a time"
        self.written = commit
        self.waiting.left(commit.of(Table.LEFT).rows)
        if self._at_once():
            self.sync()

    def take_durable(self) -> bool:
        told, self._told = self._told, False
        return told

    def load(self, number: int, kept: Kept) -> None:
        self.waiting.load(number, kept)
        self._loaded.append(Loaded(number, [*self.members.get(kept.row, [])]))

    def take_loaded(self) -> list[Loaded]:
        loaded, self._loaded = self._loaded, []
        for one in loaded:
            self.waiting.taken(one.number)
        return loaded

    def forget(self, number: int, row: int) -> None:
        self.waiting.forget(number)
        self.to_forget.append((number, row))

    def wait(self) -> bool:
        self.sync()
        return self.written is None

    def close(self) -> None:
        self.sync()
        self._forget()

    def sync(self) -> None:
        """Make the commit durable."""
        commit, self.written = self.written, None
        if commit is None:
            return
        self._forget()
        self.header = commit.header
        for table, (rows, gone) in commit.changes.items():
            self.tables[table] |= dict(rows)
            for number in gone:
                self.tables[table].pop(number, None)
        for row, stored in commit.members:
            self.members.setdefault(row, []).append(stored)
        for row in commit.dropped:
            self.members.pop(row, None)
        self._told = True

    def _forget(self) -> None:
        for number, row in self.to_forget:
            del self.tables[Table.LEFT][number]
            self.members.pop(row, None)
        self.to_forget = []

    def crash(self, *, durable: bool) -> None:
        """End the process; `durable`: the commit is durable, but the process does not know."""
        if durable:
            self.sync()
        self.written, self.to_forget, self._loaded, self._told = None, [], [], False


class MemoryState:
    """The state of a job (see `flows.state.commit.State`)."""

    def __init__(self, every: float = 1.0, *, at_once: bool = True) -> None:
        self.every, self.token, self.at_once = every, "t0ken", at_once
        self.shards: dict[str, MemoryShard] = {}

    def view(self) -> FolderView:
        return FolderView(0, "memory", self.token, "n0nce", {}, frozenset(), frozenset())

    def begin(self, shard: str, views: Sequence[FolderView]) -> MemoryShard:
        return self.shard(shard)

    def shard(self, name: str) -> MemoryShard:
        if name not in self.shards:
            self.shards[name] = MemoryShard(lambda: self.at_once)
        return self.shards[name]
