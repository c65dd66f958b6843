"""Shows the content of a state, also while a job runs, and discards it while none does."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from connectors.consumer_names import queue_in_name
from connectors.errors import Unavailable
from flows.state.blocks import read_blocks
from flows.state.commit import Table
from flows.state.database import (
    ACCESS,
    connect,
    format_of,
    readable,
    refuse_other_format,
    unsealed,
)
from flows.state.folder import DESCRIPTION, Owner, described, file_of, refuse_another_job
from flows.state.known_offsets import LAST, last_places
from flows.state.lock import FolderLock
from flows.state.rows import GroupRow, messages_in

NO_STATE = "state: {}: has no state: no job has begun one here, or it was discarded"


class ShardContent(msgspec.Struct):
    """What one shard has."""

    name: str
    groups: int
    """Open groups."""
    messages: int
    """Messages that they count."""
    waiting: int
    """Groups that are complete, and wait for the sink."""
    waiting_messages: int
    """Messages in them; those of an earlier revision of a window are not counted again."""
    oldest: float | None
    """When the oldest open group was opened, in seconds since 1970; null: there is none."""
    bytes: int
    """Size of its files."""
    streams: dict[str, int] = {}
    """Offset of the last message of each stream that it has counted or rejected."""


class FolderContent(msgspec.Struct):
    """The output of `hopper state --json`."""

    path: str
    job: str
    bytes: int
    """Size of all files."""
    shards: list[ShardContent]
    """Those that have begun in this folder."""
    absent: list[str] = []
    """Names of the other shards of the job: they are in the folders of other processes, or have not
    begun."""
    lost: list[str] = []
    """Names of shards that have begun in this folder, and whose files are gone."""
    folders: list[str] = []
    """All folders of the state, with their processes; empty: no shard has begun."""
    streams: dict[str, int] = {}
    """The largest of these offsets of all shards, by stream."""
    flushed: int | None = None
    """Groups that were written now, with those that waited for the sink; null: it only shows."""
    dead_lettered: int = 0
    """Dead letters that this made: of summaries, or of messages of a group."""
    discarded: bool = False
    """It is discarded now; if it was damaged, it is shown without its shards."""


def inspect(path: Path) -> FolderContent:
    """Read the content of a state.

    Raises:
        Unavailable: there is none, or a file is damaged, or may not be read.
    """
    with _accessible(path):
        return _inspect(path)


def _inspect(path: Path) -> FolderContent:
    found = described(path)
    if found is None:
        raise Unavailable(NO_STATE.format(path))
    here = [name for name in found["shards"] if file_of(path, name).exists()]
    shards = [_shard(path, name) for name in here]
    lost = [name for name in found["made"] if name not in here]
    absent = [name for name in found["shards"] if name not in {*here, *lost}]
    total, folders = sum(one.bytes for one in shards), [*found["folders"].values()]
    job, streams = found["job"], _together(shards)
    return FolderContent(str(path), job, total, shards, absent, lost, folders, streams)


def discard(path: Path, owner: Owner) -> FolderContent:
    """Remove the state of a job; return what it had, as far as it can be read.

    Raises:
        Unavailable: there is none, it is of another job, a job has it, or it may not be changed.
    """
    if not path.exists():
        raise Unavailable(f"state: {path}: does not exist")
    with _accessible(path):
        return _discard(path, owner)


def _discard(path: Path, owner: Owner) -> FolderContent:
    # `glob` finds nothing in a folder that it may not read.
    if not any(name == DESCRIPTION or ".sqlite" in name for name in os.listdir(path)):
        raise Unavailable(NO_STATE.format(path))
    lock = FolderLock(path)
    lock.take()
    with lock.released_by_an_error():
        content = _readable(path, owner)
    content.discarded = True
    (path / DESCRIPTION).unlink(missing_ok=True)
    for file in path.glob("*.sqlite*"):
        file.unlink()
    lock.release()
    return content


def _readable(path: Path, owner: Owner) -> FolderContent:
    """Return the content as far as it can be read: a damaged folder may be discarded too."""
    nothing = FolderContent(str(path), "", 0, [])
    try:
        found = described(path)
    except Unavailable:
        return nothing
    if found is not None:
        refuse_another_job(path, found, owner)
    try:
        return inspect(path)
    except Unavailable:
        return nothing


@contextmanager
def _accessible(path: Path) -> Iterator[None]:
    """Turn an error of the system into one with the place and the remedy."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"state: {error.filename or path}: {error.strerror}: {ACCESS}") from error


def _shard(folder: Path, name: str) -> ShardContent:
    path = file_of(folder, name)
    oldest = None
    with readable(path), closing(connect(path)) as connection:
        refuse_other_format(path, format_of(connection))
        groups = messages = 0
        blocks = connection.execute(f"SELECT number, stored FROM {Table.GROUPS} ORDER BY number")
        for _, rows in read_blocks([*unsealed(blocks)]):
            for group in (GroupRow._make(content) for _, content in rows):
                groups += 1
                messages += group.members
                oldest = min(group.opened_at, oldest or group.opened_at)
        left = [*unsealed(connection.execute("SELECT * FROM left"))]
        streams = _streams(connection)
    size = sum(map(_size, folder.glob(f"{path.name}*")))
    of_left = sum(map(messages_in, left))
    return ShardContent(name, groups, messages, len(left), of_left, oldest, size, streams)


def _streams(connection: sqlite3.Connection) -> dict[str, int]:
    found = connection.execute("SELECT * FROM offsets WHERE number = ?", (LAST,))
    places = {name: each for _, row in unsealed(found) for name, each in last_places(row).items()}
    return {queue_in_name(consumer): last.place[0] for consumer, last in places.items()}


def _together(shards: Sequence[ShardContent]) -> dict[str, int]:
    streams: dict[str, int] = {}
    for shard in shards:
        for name, offset in shard.streams.items():
            streams[name] = max(offset, streams.get(name, offset))
    return streams


def _size(file: Path) -> int:
    """Return the size of a file; 0 if SQLite has removed it, as it does with a log at its end."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
