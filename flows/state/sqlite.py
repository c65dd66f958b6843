"""Keeps one shard in a file of SQLite, on a thread of its own: it waits for the disk.

The file has a row for the groups that a commit changes (see `blocks.py`), and for the new members
of a group in a commit; so a commit costs what has changed.

Rule 1: a commit that fails is tried again without limit. Nothing that it contains is acknowledged
        meanwhile, so the broker has it.
Rule 2: a file that was replaced or deleted while it is open is not written to any more.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from connectors.jitter import jitter
from connectors.retry import Backoff
from flows.state.commit import Changes, Commit, Loaded, Recovered, Table, Waiting
from flows.state.database import connect, readable, sealed, unsealed
from flows.values.group import Kept

LOG = logging.getLogger("hopper.state")

RETRY = Backoff(0.2, 5.0)
"""Seconds between two attempts to write or to read."""


class LeftGroup(NamedTuple):
    """A group that has left, and the row that has its members; 0: none has."""

    number: int
    row: int


class Tries:
    """What the thread of a store was asked for, and whether it has tried all of it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open, self._has_failed = 0, False

    def asked(self) -> None:
        """Note that the thread is asked for something."""
        with self._changed:
            self._open += 1

    def done(self) -> None:
        """Note that the thread has done it."""
        with self._changed:
            self._open, self._has_failed = self._open - 1, False
            self._changed.notify_all()

    def failed(self) -> None:
        """Note that an attempt has failed."""
        with self._changed:
            self._has_failed = True
            self._changed.notify_all()

    def wait(self) -> bool:
        """Wait until all is done, or an attempt has failed; return whether all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_failed or not self._open)
            return not self._open


class SQLiteStore:
    """One shard (see `ShardStore`)."""

    def __init__(
        self, path: Path, forget_after: float, at_step: Callable[[str], object] = lambda _: None
    ) -> None:
        """`forget_after`: seconds that groups to forget may wait for a commit.

        `at_step`: called with the name of each step of a commit, for tests.
        """
        self.path, self._forget_after, self._at_step = path, forget_after, at_step
        self.problem = ""
        """Why the last attempt has failed; empty: it has not. For any thread."""
        self.waiting = Waiting()
        self._asked: queue.SimpleQueue[Commit | LeftGroup | None] = queue.SimpleQueue()
        self._forgotten: queue.SimpleQueue[LeftGroup] = queue.SimpleQueue()
        self._durable: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._loaded: queue.SimpleQueue[Loaded] = queue.SimpleQueue()
        self._tries = Tries()
        self._closing = threading.Event()
        self._inode = 0
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name=f"state {path.stem}", daemon=True)

    def recover(self) -> Recovered:
        """See `ShardStore`.

        Raises:
            Unavailable: the file is missing or damaged.
        """
        with readable(self.path):
            # It stays open, so that no other file can get its inode.
            connection = self._connection = connect(self.path)
            self._inode = self.path.stat().st_ino
            header = [*unsealed(connection.execute("SELECT * FROM header"))]
            tables = {
                table: [*unsealed(connection.execute(f"SELECT * FROM {table} ORDER BY number"))]
                for table in Table
            }
        rows = {table: found for table, found in tables.items() if found}
        recovered = Recovered(header[0][1] if header else None, rows)
        self.waiting.left(recovered.of(Table.LEFT))
        self._thread.start()
        return recovered

    def write(self, commit: Commit) -> None:
        """See `ShardStore`."""
        self.waiting.left(commit.of(Table.LEFT).rows)
        self._ask(commit)

    def take_durable(self) -> bool:
        """See `ShardStore`."""
        return not self._durable.empty() and self._durable.get()

    def load(self, number: int, kept: Kept) -> None:
        """See `ShardStore`."""
        self.waiting.load(number, kept)
        self._ask(LeftGroup(number, kept.row))

    def take_loaded(self) -> list[Loaded]:
        """See `ShardStore`."""
        loaded = [self._loaded.get() for _ in range(self._loaded.qsize())]
        for one in loaded:
            self.waiting.taken(one.number)
        return loaded

    def forget(self, number: int, row: int) -> None:
        """See `ShardStore`."""
        self.waiting.forget(number)
        self._forgotten.put(LeftGroup(number, row))

    def wait(self) -> bool:
        """See `ShardStore`."""
        return self._tries.wait()

    def close(self) -> None:
        """See `ShardStore`; a commit that the disk refuses is given up."""
        self._closing.set()
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _ask(self, asked: Commit | LeftGroup) -> None:
        self._tries.asked()
        self._asked.put(asked)

    def _run(self) -> None:
        while True:
            asked = self._next()
            if isinstance(asked, LeftGroup):
                if self._try("cannot read the messages of a group", partial(self._read, asked)):
                    self._tries.done()
            else:
                self._persist(asked)
            if self._closing.is_set() and self._asked.empty():
                break
        self._disconnect()

    def _next(self) -> Commit | LeftGroup | None:
        """Wait for a commit, or until there are groups to forget."""
        try:
            return self._asked.get(timeout=self._forget_after)
        except queue.Empty:
            return None

    def _persist(self, commit: Commit | None) -> None:
        """Make a commit durable, and forget what is to be forgotten. Rule 1."""
        forgotten = [self._forgotten.get() for _ in range(self._forgotten.qsize())]
        if commit is None and not forgotten:
            return
        what = "cannot make a commit durable"
        if self._try(what, partial(self._transact, commit, forgotten)) and commit is not None:
            self._durable.put(True)
            self._tries.done()

    def _try(self, what: str, action: Callable[[], object]) -> bool:
        """Try until the disk does it; return `False` if it is given up, since the job stops."""
        attempts = 0
        while True:
            try:
                action()
                break
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                self._failed(what, error, attempts)
            if self._closing.wait(RETRY.delay(attempts, jitter())):
                return False
            attempts += 1
        if self.problem:
            self.problem = ""
            LOG.info("%s: the disk accepts commits again", self.path)
        return True

    def _connected(self) -> sqlite3.Connection:
        if not self.path.exists():  # Rule 2
            raise OSError("the file is gone: stop the job, and restore the folder from a backup")
        if self._connection is None:
            self._connection = connect(self.path)
        if self.path.stat().st_ino != self._inode:  # Rule 2
            raise OSError("another file has taken its place: restart the job")
        return self._connection

    def _disconnect(self) -> None:
        """Close the connection; a failed transaction is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, group: LeftGroup) -> None:
        found = self._connected().execute(
            "SELECT row, stored FROM members WHERE row = ? ORDER BY number, rowid", (group.row,)
        )
        self._loaded.put(Loaded(group.number, [stored for _, stored in unsealed(found)]))

    def _transact(self, commit: Commit | None, forgotten: list[LeftGroup]) -> None:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        self._at_step("begin")
        _change(connection, Table.LEFT, Changes(gone=[group.number for group in forgotten]))
        forgotten_rows = [group.row for group in forgotten if group.row]
        if commit is not None:
            for table, changes in commit.changes.items():
                _change(connection, table, changes)
                self._at_step(table)
            by_row = sorted(commit.members, key=itemgetter(0))  # those of one row stay in order
            members = [(row, commit.number, sealed(stored)) for row, stored in by_row]
            connection.executemany("INSERT INTO members VALUES (?, ?, ?)", members)
            self._at_step("members")
            connection.execute(
                "INSERT OR REPLACE INTO header VALUES (1, ?)", (sealed(commit.header),)
            )
            forgotten_rows += commit.dropped
        gone = [(row,) for row in forgotten_rows]
        connection.executemany("DELETE FROM members WHERE row = ?", gone)
        self._at_step("written")
        connection.execute("COMMIT")
        self._at_step("committed")

    def _failed(self, what: str, error: Exception, attempts: int) -> None:
        self.problem = f"{error}"
        if not attempts:
            LOG.error(
                "%s: %s: %s; it is tried again without limit, and no message is "
                "acknowledged meanwhile",
                *(self.path, what, error),
            )
        self._tries.failed()


def _change(connection: sqlite3.Connection, table: Table, changes: Changes) -> None:
    put, delete = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", f"DELETE FROM {table}"
    connection.executemany(put, [(n, sealed(stored)) for n, stored in sorted(changes.rows)])
    connection.executemany(f"{delete} WHERE number = ?", [(number,) for number in changes.gone])
