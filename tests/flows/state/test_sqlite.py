"""A shard in a file of SQLite: whole after a crash at any step, and patient with a broken disk."""

from __future__ import annotations

import logging
import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Unavailable
from flows.state.commit import Changes, Commit, Table
from flows.state.database import check, connect, create, sealed
from flows.state.sqlite import SQLiteStore
from tests.contract.state import (
    AFTER_FIRST,
    AFTER_SECOND,
    FIRST,
    SECOND,
    ShardStoreContract,
    write,
)
from tests.kept_state import MemoryShard
from tests.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "shard.sqlite")
    return tmp_path / "shard.sqlite"


class TestSQLite(ShardStoreContract):
    @pytest.fixture
    def store(self, path: Path) -> SQLiteStore:
        return SQLiteStore(path, 1.0)

    @pytest.fixture
    def reopened(self, path: Path) -> SQLiteStore:
        return SQLiteStore(path, 1.0)


class TestMemory(ShardStoreContract):
    """The store of the simulation, which must behave the same."""

    @pytest.fixture
    def store(self) -> MemoryShard:
        return MemoryShard(lambda: True)

    @pytest.fixture
    def reopened(self, store: MemoryShard) -> MemoryShard:
        return store


def one_by_one(path: Path, select: str) -> list[Any]:
    """The values of one column in a file."""
    with closing(connect(path)) as connection:
        return [value for (value,) in connection.execute(select)]


def test_a_crash_at_any_step_leaves_the_commit_whole_or_away(path: Path, tmp_path: Path) -> None:
    """The files as they are at each step are what the next process finds after a crash."""
    copies: list[tuple[str, Path]] = []

    def copy(step: str) -> None:
        folder = tmp_path / f"{len(copies)}"
        shutil.copytree(path.parent, folder, ignore=lambda *_: [f"{n}" for n in range(99)])
        copies.append((step, folder / path.name))

    store = SQLiteStore(path, 1.0, copy)
    store.recover()
    write(store, FIRST, SECOND)
    store.close()

    steps = [step for step, _ in copies]
    first, second = ["groups", "names"], ["groups", "left", "names"]
    end = ["members", "written", "committed"]
    assert steps == ["begin", *first, *end, "begin", *second, *end]
    found = [SQLiteStore(file, 1.0).recover() for _, file in copies]
    assert [each.header for each in found] == [None] * 5 + [b"h1"] * 7 + [b"h2"]
    assert found[5] == found[11] == AFTER_FIRST
    assert found[12] == AFTER_SECOND
    of_first = [one_by_one(file, "SELECT stored FROM members WHERE row = 1") for _, file in copies]
    assert of_first == [[]] * 5 + [[sealed(b"m1")]] * 7 + [[sealed(b"m1"), sealed(b"m2")]]


def test_groups_to_forget_do_not_wait_for_a_commit(path: Path) -> None:
    store = SQLiteStore(path, 0.01)
    store.recover()
    write(store, FIRST, SECOND)
    store.forget(7, 0)

    until(lambda: one_by_one(path, "SELECT number FROM left") == [])
    store.close()


def test_a_full_disk_makes_nothing_durable_until_there_is_room(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The problem is shown and logged once; then the same commit becomes durable."""
    large = Commit(1, b"h", {Table.GROUPS: Changes([(1, bytes(300_000))])})
    store = SQLiteStore(path, 1.0)
    store.recover()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with caplog.at_level(logging.INFO, "hopper.state"):
            store.write(large)
            store.wait()
            until(lambda: store.problem != "")
            assert not store.take_durable()
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            until(store.take_durable)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert store.problem == ""
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    store.close()
    assert SQLiteStore(path, 1.0).recover().rows == {Table.GROUPS: [(1, bytes(300_000))]}


def test_a_disk_that_becomes_read_only_is_tried_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the kernel remounts it after an error; root writes anywhere, so a step refuses."""
    is_read_only = True

    def refuse(_step: str) -> None:
        if is_read_only:
            raise sqlite3.OperationalError("attempt to write a readonly database")

    store = SQLiteStore(path, 1.0, refuse)
    store.recover()
    store.write(FIRST)
    until(lambda: "and no message is acknowledged meanwhile" in caplog.text)
    assert store.problem == "attempt to write a readonly database"
    assert not store.take_durable()

    is_read_only = False

    until(store.take_durable)
    assert store.problem == ""
    store.close()


def test_a_file_that_was_replaced_is_not_written_to(path: Path) -> None:
    """What would be written to a deleted file is gone with the process."""
    store = SQLiteStore(path, 1.0)
    store.recover()
    path.unlink()
    create(path)
    store.write(FIRST)
    store.wait()

    assert not store.take_durable()
    assert "another file has taken its place" in store.problem
    store.close()


def test_a_file_that_was_deleted_is_told_with_what_helps(path: Path) -> None:
    store = SQLiteStore(path, 1.0)
    store.recover()
    path.unlink()
    store.write(FIRST)
    store.wait()

    assert store.problem == "the file is gone: stop the job, and restore the folder from a backup"
    store.close()


def test_a_file_that_is_cut_in_half_is_refused(path: Path) -> None:
    store = SQLiteStore(path, 1.0)
    store.recover()
    rows = [(number, bytes(1000)) for number in range(1, 200)]
    write(store, Commit(1, b"h", {Table.GROUPS: Changes(rows)}))
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)

    with pytest.raises(Unavailable, match=r"shard.sqlite: cannot be used: .*malformed.*--discard"):
        SQLiteStore(path, 1.0).recover()


def test_a_changed_byte_is_noticed(path: Path) -> None:
    """SQLite finds each row, and does not notice that a disk has changed one of its bytes."""
    store = SQLiteStore(path, 1.0)
    store.recover()
    write(store, Commit(1, b"h", {Table.GROUPS: Changes([(1, b"a group of 100 messages")])}))
    store.close()
    content = path.read_bytes()
    assert content.count(b"group of 100") == 1
    path.write_bytes(content.replace(b"group of 100", b"group of 900"))

    with pytest.raises(Unavailable, match=r"row 1 has changed on the disk; restore the folder"):
        SQLiteStore(path, 1.0).recover()


def test_an_empty_file_is_not_a_new_shard(path: Path) -> None:
    path.write_bytes(b"")

    with pytest.raises(Unavailable, match="is empty: its content is lost; restore the folder"):
        check(path)


def test_another_format_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(Unavailable, match="has format 99, and this version of Hopper reads"):
        check(path)
