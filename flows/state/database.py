"""The file of a shard, a database of SQLite: its tables, and how it is made, opened and checked.

In WAL mode, with `synchronous=FULL`, SQLite returns from COMMIT when the disk has the transaction
(fsync).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

from connectors.errors import Unavailable
from flows.state.commit import Row, Table
from flows.state.rows import FORMAT

REMEDY = "restore the folder from a backup, or begin anew with `hopper state --discard`"
ACCESS = (
    "the folder and its files must be readable and writable: run this as the user of the job, or "
    "mount the disk writable"
)
PAGE_BYTES, LOG_PAGES = 4096, 250
"""The log grows to so many pages before they are copied into the file. A commit changes few pages
again, so a longer log would copy as many, and take more of the disk."""
_OF_ROWS = "CREATE TABLE {}(number INTEGER PRIMARY KEY, stored BLOB NOT NULL);".format
TABLES = f"""
CREATE TABLE header(only INTEGER PRIMARY KEY, header BLOB NOT NULL);
{"".join(map(_OF_ROWS, Table))}
CREATE TABLE members(row INTEGER NOT NULL, number INTEGER NOT NULL, stored BLOB NOT NULL);
CREATE INDEX members_by_row ON members(row);
"""
"""Members have the row of their group and the number of their commit. A commit appends them: in the
order of their groups, each group would have a page of its own to write."""


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file, for commits that are durable when COMMIT returns.

    Raises:
        sqlite3.Error: it does not exist, or is damaged.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
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
    if not is_accessible(path):  # SQLite would open it without writing to it
        raise Unavailable(f"{path}: cannot be used: {ACCESS}")
    if not path.stat().st_size:
        raise Unavailable(f"{path}: is empty: its content is lost; {REMEDY}")
    with readable(path), closing(connect(path)) as connection:
        refuse_other_format(path, format_of(connection))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def sealed(stored: bytes) -> bytes:
    """Return what is stored in a row with its checksum: SQLite does not notice changed bytes."""
    return crc32(stored).to_bytes(4, "big") + stored


def unsealed(rows: Iterable[Row]) -> Iterator[Row]:
    """Return what is stored in rows, without their checksums.

    Raises:
        sqlite3.DatabaseError: bytes have changed.
    """
    for number, row in rows:
        stored = row[4:]
        if crc32(stored).to_bytes(4, "big") != row[:4]:
            raise sqlite3.DatabaseError(f"row {number} has changed on the disk")
        yield number, stored


def format_of(connection: sqlite3.Connection) -> int:
    """Return the format of a shard's file."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def refuse_other_format(path: Path, number: object) -> None:
    """Check that this version reads the format of a file.

    Raises:
        Unavailable: another version has written it.
    """
    if number != FORMAT:
        raise Unavailable(
            f"{path}: has format {number}, and this version of Hopper reads format {FORMAT}: "
            "with the version that has written it, write what is open (`hopper state --flush`), "
            "and then `hopper state --discard`"
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into one with the file and the remedy.

    Raises:
        Unavailable: the file cannot be used.
    """
    try:
        yield
    except sqlite3.Error as error:
        remedy = REMEDY if is_accessible(path) else ACCESS
        raise Unavailable(f"{path}: cannot be used: {error}; {remedy}") from error


def is_accessible(path: Path) -> bool:
    """Return whether a file, if it is there, and its folder are readable and writable."""
    file = [path] if path.exists() else []
    return all(os.access(each, os.R_OK | os.W_OK) for each in (path.parent, *file))
