"""Keeps one shard in a file of SQLite, on a thread of its own: it waits for the disk.

The file has one row for each open group, so a commit costs what has changed. In WAL mode, with
`synchronous=FULL`, SQLite returns from COMMIT when the disk has the transaction (fsync).

Rule 1: a commit that fails is tried again without limit. Nothing that it contains is acknowledged
        meanwhile, so the broker has it.
Rule 2: a file that was replaced or deleted while it is open is not written to any more.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connectors.errors import Unavailable
from connectors.retry import Backoff
from flows.state.commit import Changes, Commit, Recovered, Table, Waiting
from flows.state.rows import FORMAT

LOG = logging.getLogger("hopper.state")

RETRY = Backoff(0.2, 5.0)
"""Seconds between two attempts to make a commit durable."""
PAGE_BYTES, LOG_PAGES = 1024, 8000
"""A commit writes each page with a changed row: small pages make it cheaper where few rows of many
change. The log grows to so many pages before they are copied into the file, each once."""
TABLES = "CREATE TABLE header(only INTEGER PRIMARY KEY, header BLOB NOT NULL);" + "".join(
    f"CREATE TABLE {table}(number INTEGER PRIMARY KEY, stored BLOB NOT NULL);" for table in Table
)


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
        self._commits: queue.SimpleQueue[Commit | None] = queue.SimpleQueue()
        self._forgotten: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._durable: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._tried = threading.Event()
        self._tried.set()
        self._closing = threading.Event()
        self._waiting, self._inode = Waiting(), 0
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
            header = connection.execute("SELECT header FROM header").fetchone()
            tables = {
                table: connection.execute(f"SELECT * FROM {table} ORDER BY number").fetchall()
                for table in Table
            }
        rows = {table: found for table, found in tables.items() if found}
        recovered = Recovered(header and header[0], rows)
        self._waiting.left(recovered.of(Table.LEFT))
        self._thread.start()
        return recovered

    def write(self, commit: Commit) -> None:
        """See `ShardStore`."""
        self._waiting.left(commit.of(Table.LEFT).rows)
        self._tried.clear()
        self._commits.put(commit)

    def take_durable(self) -> bool:
        """See `ShardStore`."""
        return not self._durable.empty() and self._durable.get()

    @property
    def waiting(self) -> int:
        """See `ShardStore`."""
        return self._waiting.bytes

    def forget(self, number: int) -> None:
        """See `ShardStore`."""
        self._waiting.forget(number)
        self._forgotten.put(number)

    def wait(self) -> None:
        """See `ShardStore`."""
        self._tried.wait()

    def close(self) -> None:
        """See `ShardStore`; a commit that the disk refuses is given up."""
        self._closing.set()
        self._commits.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            commit = self._next()
            forgotten = [self._forgotten.get() for _ in range(self._forgotten.qsize())]
            if commit is not None or forgotten:
                self._persist(commit, forgotten)
            if self._closing.is_set() and self._commits.empty():
                break
        self._disconnect()

    def _next(self) -> Commit | None:
        """Wait for a commit, or until there are groups to forget."""
        try:
            return self._commits.get(timeout=self._forget_after)
        except queue.Empty:
            return None

    def _persist(self, commit: Commit | None, forgotten: list[int]) -> None:
        """Make a commit durable. Rule 1."""
        attempts = 0
        while True:
            try:
                self._transact(commit, forgotten)
                break
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                self._failed(error, attempts)
            if self._closing.wait(RETRY.delay(attempts, random.random())):
                return
            attempts += 1
        if self.problem:
            self.problem = ""
            LOG.info("%s: the disk accepts commits again", self.path)
        if commit is not None:
            self._durable.put(True)
            self._tried.set()

    def _disconnect(self) -> None:
        """Close the connection; a failed transaction is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, commit: Commit | None, forgotten: list[int]) -> None:
        if self._connection is None:
            self._connection = connect(self.path)
        connection = self._connection
        if self.path.stat().st_ino != self._inode:  # Rule 2
            raise OSError("another file has taken its place: restart the job")
        connection.execute("BEGIN IMMEDIATE")
        self._at_step("begin")
        _change(connection, Table.LEFT, Changes(gone=forgotten))
        if commit is not None:
            for table, changes in commit.changes.items():
                _change(connection, table, changes)
                self._at_step(table)
            connection.execute("INSERT OR REPLACE INTO header VALUES (1, ?)", (commit.header,))
        self._at_step("written")
        connection.execute("COMMIT")
        self._at_step("committed")

    def _failed(self, error: Exception, attempts: int) -> None:
        self.problem = f"{error}"
        if not attempts:
            LOG.error(
                "%s: cannot make a commit durable: %s; its messages stay unacknowledged, and it is "
                "tried again without limit",
                *(self.path, error),
            )
        self._tried.set()


def _change(connection: sqlite3.Connection, table: Table, changes: Changes) -> None:
    put, delete = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", f"DELETE FROM {table}"
    connection.executemany(put, sorted(changes.rows))
    connection.executemany(f"{delete} WHERE number = ?", [(number,) for number in changes.gone])


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file, for commits that are durable when COMMIT returns.

    Raises:
        sqlite3.Error: it does not exist, or is damaged.
    """
    connection = sqlite3.connect(
        f"file:{path}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return connection


def create(path: Path) -> None:
    """Make the file of a shard without groups, and wait until the disk has it.

    After a crash it is whole, or it is not there.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT")
    fsync(new)
    new.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Wait until the disk has a file, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def check(path: Path) -> None:
    """Check that a file is the state of a shard, of this format, which may be written.

    Raises:
        Unavailable: it is not.
    """
    if not path.stat().st_size:
        raise Unavailable(f"{path}: is empty: its content is lost; {REMEDY}")
    with readable(path), closing(connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise Unavailable(
                f"{path}: has format {version}, and this version of Hopper reads format {FORMAT}: "
                "run the version that has written it, and let it write what is open with "
                "on_stop: write"
            )
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


REMEDY = "restore the folder from a backup, or begin anew with `hopper state --discard`"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into one with the file and the remedy.

    Raises:
        Unavailable: the file cannot be used.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"{path}: cannot be used: {error}; {REMEDY}") from error
