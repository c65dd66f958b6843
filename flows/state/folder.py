"""The folder with the state of a job: one file for each shard, a description, and a lock.

Rule 1: a folder without a description and without files of shards is empty: the job begins without
        open groups, and the log says so. Any other folder that lacks a file is refused.
Rule 2: one job at a time has the folder. The lock ends with the process.
Rule 3: what decides which group a message belongs to, and what a group counts, must be the same
        as when the folder was made.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.errors import Unavailable
from flows.state import sqlite
from flows.state.sqlite import REMEDY, SQLiteStore

LOG = logging.getLogger("hopper.state")

DESCRIPTION, LOCK = "state.json", "lock"


class StateLock:
    """The lock of a folder. Rule 2."""

    def __init__(self, path: Path) -> None:
        self._path, self._descriptor = path, -1

    def take(self) -> None:
        """Take the lock.

        Raises:
            Unavailable: another process has it.
        """
        self._descriptor = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Unavailable(
                f"state: {self._path}: another process has this folder: give each job a folder of "
                "its own, and stop the old version before the new one starts"
            ) from None

    @contextmanager
    def released_by_an_error(self) -> Iterator[None]:
        """Give the lock back if the body fails."""
        try:
            yield
        except (OSError, Unavailable):
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)


class StateFolder:
    """The state of a job in a folder (see `State`)."""

    def __init__(self, path: Path, every: float) -> None:
        """`every`: see `State`."""
        self.path, self.every, self.token = path, every, ""
        self._stores: dict[str, SQLiteStore] = {}
        self._guard = threading.Lock()
        self._lock = StateLock(path)

    def open(self, job: str, shards: Sequence[str], decides: Mapping[str, Any]) -> None:
        """Take the folder, and check that all of it is there; make it if it is empty.

        `decides`: the keys of the spec that rule 3 is about, with their values.

        Raises:
            Unavailable: another job has it, a part is missing or damaged, or the spec has changed.
        """
        try:
            self.path.mkdir(0o700, parents=True, exist_ok=True)
            self._lock.take()
            with self._lock.released_by_an_error():
                found = described(self.path)
                if found is None:
                    self._make(job, shards, decides)
                else:
                    self._check(found, shards, decides)
        except OSError as error:
            where = error.filename or self.path
            raise Unavailable(f"state: {where}: {error.strerror}") from error

    def shard(self, name: str) -> SQLiteStore:
        """See `State`."""
        with self._guard:
            if name not in self._stores:
                self._stores[name] = SQLiteStore(file_of(self.path, name), self.every)
            return self._stores[name]

    def problems(self) -> list[str]:
        """Return why the disk refuses commits now, one line for each shard; from any thread."""
        stores = [*self._stores.copy().values()]
        return [f"{store.path}: {store.problem}" for store in stores if store.problem]

    def close(self) -> None:
        """End the background work, and give the folder back."""
        for store in self._stores.values():
            store.close()
        self._lock.release()

    def _make(self, job: str, shards: Sequence[str], decides: Mapping[str, Any]) -> None:
        if found := sorted(self.path.glob("*.sqlite")):
            raise Unavailable(
                f"state: {self.path / DESCRIPTION} is missing, but {found[0].name} is there: "
                f"{REMEDY}"
            )
        for shard in shards:
            sqlite.create(file_of(self.path, shard))
        self.token = secrets.token_hex(6)
        description = {"job": job, "token": self.token, "shards": [*shards], "spec": {**decides}}
        _write(self.path / DESCRIPTION, json.dumps(description, indent=2))
        LOG.warning("%s: the state is new: the job begins without open groups", self.path)

    def _check(
        self, found: Mapping[str, Any], shards: Sequence[str], decides: Mapping[str, Any]
    ) -> None:
        changed = [
            f"{key} was {json.dumps(found['spec'].get(key))}, and is {json.dumps(value)}"
            for key, value in decides.items()
            if found["spec"].get(key) != json.loads(json.dumps(value))
        ]
        if found["shards"] != [*shards]:
            changed.append(f"groups had {len(found['shards'])} shards, and have {len(shards)}")
        if changed:
            raise Unavailable(
                f"state: {self.path} is of another spec: {'; '.join(changed)}: with the old spec, "
                "write what is open (on_stop: write), and then `hopper state --discard`"
            )
        for shard in shards:
            file = file_of(self.path, shard)
            if not file.exists():
                raise Unavailable(f"state: {file} is missing: {REMEDY}")
            sqlite.check(file)
            self.shard(shard).read()
        self.token = found["token"]


def file_of(folder: Path, shard: str) -> Path:
    """Return the file of a shard."""
    return folder / f"{shard.replace('/', '-')}.sqlite"


def described(folder: Path) -> Mapping[str, Any] | None:
    """Return the description of a folder; `None`: it has none.

    Raises:
        Unavailable: it is damaged.
    """
    try:
        text = (folder / DESCRIPTION).read_text()
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not {"job", "token", "shards", "spec"} <= found.keys():
        raise Unavailable(f"state: {folder / DESCRIPTION} is damaged: {REMEDY}")
    return found


def _write(path: Path, text: str) -> None:
    """Write a file at once: after a crash it is whole, or it is not there."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
