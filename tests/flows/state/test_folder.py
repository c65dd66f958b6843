"""The folder of a state is of one job and of one spec; a shard never begins empty in silence."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from connectors.errors import Unavailable
from flows.state.commit import Changes, Commit, Table
from flows.state.folder import Owner, StateFolder
from flows.state.inspect import discard, inspect
from flows.state.lock import ALONE, ClusterMember
from tests.contract.state import write

SHARDS = ("shard/3", "shard/0")
OWNER = Owner("orders", ["q"])
SPEC: dict[str, Any] = {"aggregate.by": "order.id"}
OTHER: dict[str, Any] = {"aggregate.by": "user"}
TWO = ("a:1", "b:2")


def opened(
    path: Path,
    shards: tuple[str, ...] = SHARDS,
    spec: dict[str, Any] = SPEC,
    member: ClusterMember = ALONE,
) -> StateFolder:
    folder = StateFolder(path, 1.0, member)
    folder.open(OWNER, shards, spec)
    return folder


def refusal(path: Path, shards: tuple[str, ...] = SHARDS, spec: dict[str, Any] = SPEC) -> str:
    with pytest.raises(Unavailable) as refused:
        opened(path, shards, spec)
    return str(refused.value)


def count(folder: StateFolder, shard: str, *others: StateFolder) -> None:
    """Begin a shard, and commit a group."""
    store = folder.begin(shard, [each.view() for each in (folder, *others)])
    store.recover()
    write(store, Commit(1, b"h", {Table.GROUPS: Changes([(1, b"group")])}))


def found(folder: StateFolder, shard: str, *others: StateFolder) -> int:
    """Begin a shard, and return the number of its open groups."""
    store = folder.begin(shard, [each.view() for each in (folder, *others)])
    return len(store.recover().of(Table.GROUPS))


def another_format(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def begun(path: Path, member: ClusterMember = ALONE) -> StateFolder:
    """A folder whose shards have begun."""
    folder = opened(path, member=member)
    for shard in SHARDS:
        folder.begin(shard, [folder.view()]).recover()
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    begun(tmp_path / "state").close()
    return tmp_path / "state"


def test_a_new_folder_says_that_it_begins_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "hopper.state"):
        folder = begun(tmp_path / "a" / "b")
        token = folder.token
        folder.close()
        assert caplog.text.count("the state is new: the job begins without open groups") == 1
        caplog.clear()
        again = begun(tmp_path / "a" / "b")

    assert not caplog.records
    assert again.token == token
    assert again.shard("shard/3") is again.shard("shard/3")
    again.close()


def test_the_second_job_is_refused(path: Path) -> None:
    first = opened(path)
    assert "another process has this folder" in refusal(path)
    with pytest.raises(Unavailable, match="another process has this folder"):
        discard(path, OWNER)
    first.close()
    opened(path).close()


def test_a_job_with_another_name_and_other_queues_is_another_job(path: Path) -> None:
    """Also while the first one does not run: it would write the open groups to its own index."""
    with pytest.raises(Unavailable, match="belongs to job orders of queue q: give each"):
        StateFolder(path, 1.0).open(Owner("bills", ["bills"]), SHARDS, SPEC)
    with pytest.raises(Unavailable, match="belongs to job orders of queue q: give each"):
        discard(path, Owner("bills", ["bills"]))

    opened(path).close()


def test_a_job_may_change_its_name_and_then_its_queues(path: Path) -> None:
    for owner in (Owner("bills", ["q"]), Owner("bills", ["p", "r"]), Owner("invoices", ["r"])):
        folder = StateFolder(path, 1.0)
        folder.open(owner, SHARDS, SPEC)
        folder.close()

    assert inspect(path).job == "invoices"


def test_a_missing_shard_is_never_begun_empty(path: Path) -> None:
    (path / "shard-0.sqlite").unlink()

    folder = opened(path)
    with pytest.raises(Unavailable, match=r"shard-0.sqlite is missing; it was made in .*: restore"):
        folder.begin("shard/0", [folder.view()])
    folder.close()


def test_damage_is_found_before_the_job_begins(path: Path) -> None:
    file = path / "shard-0.sqlite"
    file.write_bytes(file.read_bytes()[:1500])

    assert "shard-0.sqlite: cannot be used: " in refusal(path)


def test_a_disk_that_cannot_be_written_to_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the test refuses in place of the disk."""
    path, refused = tmp_path / "state", OSError(errno.EROFS, "Read-only file system")
    refused.filename = f"{path}"
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=refused))

    remedy = "state.path must be a folder to which the job may write, or which it may make"
    assert refusal(path) == f"state: {path}: Read-only file system: {remedy}"


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """In a URI, these characters mean something else."""
    folder = begun(tmp_path / "a b?c=d#e%41")
    folder.close()

    assert [file.name for file in tmp_path.iterdir()] == ["a b?c=d#e%41"]


def test_a_missing_or_damaged_description_is_refused(path: Path) -> None:
    (path / "state.json").write_text("{")
    assert "state.json is damaged: restore the folder" in refusal(path)
    (path / "state.json").write_bytes(b'{"job": "orders\xff"}')
    assert "state.json is damaged: restore the folder" in refusal(path)
    (path / "state.json").unlink()
    assert "state.json is missing, but shard-0.sqlite is there" in refusal(path)


@pytest.mark.parametrize(
    ("number", "text"),
    [({"format": 99}, "has format 99, and"), ({}, "has format 2 or lower, and")],
)
def test_a_folder_of_another_version_is_told_by_the_number_of_its_format(
    path: Path, number: dict[str, int], text: str
) -> None:
    """A newer version may describe a folder in another way; so did the first ones."""
    (path / "state.json").write_text(json.dumps({**number, "jobs": ["orders"]}))

    assert text in refusal(path)
    with pytest.raises(Unavailable, match=f"{text} this version .* write what is open"):
        inspect(path)
    assert discard(path, OWNER).discarded


def test_another_spec_is_refused_with_what_has_changed(path: Path) -> None:
    assert 'aggregate.by was "order.id", and is "user"' in refusal(path, spec=OTHER)
    assert "groups had 2 shards, and have 1" in refusal(path, SHARDS[:1])


def test_a_running_job_knows_which_changed_spec_its_folder_refuses(path: Path) -> None:
    folder, owner = opened(path), OWNER
    folder.accept(owner, SHARDS, SPEC)
    with pytest.raises(Unavailable, match=r'aggregate\.by was "order\.id", and is "user"'):
        folder.accept(owner, SHARDS, OTHER)
    with pytest.raises(Unavailable, match="belongs to job orders"):
        folder.accept(Owner("bills", ["bills"]), SHARDS, SPEC)
    folder.close()


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert refusal(tmp_path / "file").startswith(f"state: {tmp_path / 'file'}: File exists: ")


def test_a_log_that_sqlite_removes_meanwhile_is_no_error(path: Path) -> None:
    """As when the job ends at that moment."""
    expected = inspect(path)
    (path / "shard-0.sqlite-old").symlink_to(path / "gone")

    assert inspect(path) == expected


def test_a_discarded_state_begins_anew(path: Path) -> None:
    assert [shard.groups for shard in inspect(path).shards] == [0, 0]
    assert (inspect(path).job, inspect(path).absent) == ("orders", [])
    assert discard(path, OWNER).discarded
    with pytest.raises(Unavailable, match="has no state"):
        inspect(path)

    opened(path, spec=OTHER).close()


def test_a_state_of_another_user_is_neither_empty_nor_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read anything, so the test refuses in place of the system."""
    (path / "shard-0.sqlite").write_bytes(b"no database")
    monkeypatch.setattr(os, "access", Mock(return_value=False))
    remedy = "the folder and its files must be readable and writable: run this as the user"
    with pytest.raises(Unavailable, match=rf"shard-0.sqlite: cannot be used: .*; {remedy}"):
        inspect(path)
    assert f"{path / 'shard-3.sqlite'}: cannot be used: {remedy}" in refusal(path)

    denied = Mock(side_effect=PermissionError(errno.EACCES, "Denied"))
    monkeypatch.setattr(Path, "read_bytes", denied)
    monkeypatch.setattr(os, "listdir", denied)
    for command in (inspect, partial(discard, owner=OWNER)):
        with pytest.raises(Unavailable, match=f"^state: {path}: Denied: {remedy}"):
            command(path)


def test_a_damaged_state_can_be_discarded(path: Path) -> None:
    (path / "shard-0.sqlite").write_bytes(b"no database")
    with pytest.raises(Unavailable, match="belongs to job orders of queue q: give each"):
        discard(path, Owner("bills", ["bills"]))

    assert discard(path, OWNER).shards == []


# Several processes


@pytest.fixture
def members(tmp_path: Path) -> Callable[..., list[StateFolder]]:
    """Opens the folders of two processes: with the same name they share one."""

    def open_both(*names: str) -> list[StateFolder]:
        return [
            opened(tmp_path / name, member=ClusterMember(process, TWO))
            for process, name in enumerate(names)
        ]

    return open_both


def counted_by_both(folders: list[StateFolder]) -> list[StateFolder]:
    """Let each of two processes have a shard that counts something; return their folders."""
    first, second = folders
    count(first, "shard/3", second)
    count(second, "shard/0", first)
    return folders


def close_all(*folders: StateFolder) -> None:
    for folder in folders:
        folder.close()


def test_processes_of_one_cluster_share_a_folder_and_no_other_job_does(
    tmp_path: Path, members: Callable[..., list[StateFolder]]
) -> None:
    """A process that starts anew gets its place again."""
    first, second = counted_by_both(members("a", "a"))

    for stranger in (ALONE, ClusterMember(1, TWO), ClusterMember(0, ("a:1", "b:2", "c:3"))):
        with pytest.raises(Unavailable, match="another process has this folder"):
            opened(tmp_path / "a", member=stranger)
    first.close()
    first, _ = opened(tmp_path / "a", member=ClusterMember(0, TWO)), second
    assert found(first, "shard/0", second) == 1
    close_all(first, second)
    alone = opened(tmp_path / "a")
    assert [found(alone, one) for one in SHARDS] == [1, 1]
    alone.close()


def test_folders_of_their_own_are_all_needed(
    tmp_path: Path, members: Callable[..., list[StateFolder]]
) -> None:
    first, second = counted_by_both(members("a", "b"))
    close_all(first, second)

    alone = opened(tmp_path / "a")
    with pytest.raises(Unavailable, match=r"shard-0.sqlite is missing: .*/b of process 1 is"):
        alone.begin("shard/0", [alone.view()])
    alone.close()
    for file in (tmp_path / "b").glob("*.sqlite*"):
        file.rename(tmp_path / "a" / file.name)
    alone = opened(tmp_path / "a")
    assert [found(alone, one) for one in SHARDS] == [1, 1]
    alone.close()


def test_a_folder_that_has_lost_its_disk_is_not_begun_anew(
    tmp_path: Path, members: Callable[..., list[StateFolder]]
) -> None:
    first, second = counted_by_both(members("a", "b"))
    close_all(first, second)
    shutil.rmtree(tmp_path / "b")

    first, second = members("a", "b")
    with pytest.raises(Unavailable, match=r"/b of process 1 has lost its content, and .*/a"):
        second.begin("shard/0", [first.view(), second.view()])
    close_all(first, second)


def test_a_first_start_that_was_broken_off_goes_on(
    members: Callable[..., list[StateFolder]],
) -> None:
    """The shard of one process has counted messages already, that of the other has no file."""
    first, second = members("a", "b")
    count(first, "shard/3", second)
    close_all(first, second)

    first, second = members("a", "b")
    count(second, "shard/0", first)
    assert found(first, "shard/3", second) == 1
    close_all(first, second)


@pytest.mark.parametrize("step", ["flows.state.database.fsync", "flows.state.folder._write"])
def test_a_shard_that_was_broken_off_while_it_began_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before its file is made, or before the description notes it."""
    folder = opened(tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr(step, Mock(side_effect=OSError(errno.EIO, "Input/output error")))
        with pytest.raises(Unavailable, match=r"shard-0.sqlite: Input/output error"):
            folder.begin("shard/0", [folder.view()])
    folder.close()

    folder = opened(tmp_path / "a")
    count(folder, "shard/0")
    assert folder.view().made == {"shard/0"}
    assert folder.view().folders.keys() == {folder.token}
    folder.close()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda file: file.write_bytes(b""), "is empty: its content is lost"),
        (lambda file: file.write_bytes(file.read_bytes()[:1500]), "cannot be used: "),
        (another_format, "has format 99, and this version of Hopper reads"),
    ],
)
def test_a_damaged_file_is_found_by_each_process_of_a_cluster(
    tmp_path: Path,
    members: Callable[..., list[StateFolder]],
    damage: Callable[[Path], object],
    text: str,
) -> None:
    """Also by the one that has no use for it: none of them consumes anything."""
    first, second = counted_by_both(members("a", "a"))
    close_all(first, second)
    damage(tmp_path / "a" / "shard-0.sqlite")

    for process in (0, 1):
        with pytest.raises(Unavailable, match=f"shard-0.sqlite: {text}"):
            opened(tmp_path / "a", member=ClusterMember(process, TWO))


def test_a_file_that_is_gone_after_the_start_is_not_begun_anew(path: Path) -> None:
    folder = opened(path)
    views = [folder.view()]
    (path / "shard-0.sqlite").unlink()

    with pytest.raises(Unavailable, match=r"shard-0.sqlite is missing; it was made in"):
        folder.begin("shard/0", views)
    folder.close()


def test_a_copy_of_a_folder_is_not_the_folder(
    tmp_path: Path, members: Callable[..., list[StateFolder]]
) -> None:
    begun(tmp_path / "a").close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    first, second = members("a", "b")
    with pytest.raises(Unavailable, match=r"/b of process 1 is a copy of .*/a of process 0"):
        first.begin("shard/3", [first.view(), second.view()])
    close_all(first, second)
