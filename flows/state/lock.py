"""Lets one job at a time use the folder of a state; a job of several processes may share it.

Each process locks a file of its own, by its position in the cluster. A lock ends with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from connectors.errors import Unavailable


class ClusterMember(NamedTuple):
    """A process as part of its cluster."""

    process: int = 0
    addresses: tuple[str, ...] = ()
    """Of all processes; empty: the process is the whole job."""

    def place(self, folder: Path) -> str:
        """Describe its folder, for people."""
        if not self.addresses:
            return f"{folder}"
        return f"{folder} of process {self.process}"


ALONE = ClusterMember()


class FolderLock:
    """The lock of one process on a folder."""

    def __init__(self, folder: Path, member: ClusterMember = ALONE) -> None:
        self._folder, self._member, self._descriptor = folder, member, -1
        self.nonce = secrets.token_hex(6)
        """What only the locks of this process contain."""

    def take(self) -> None:
        """Take the lock.

        Raises:
            Unavailable: another job has the folder, or another process has this one's position.
        """
        own = _file(self._folder, self._member.process)
        with guarded(self._folder):
            for file in sorted(self._folder.glob(_file(Path(), "*").name)):
                if _is_held(file) and (file == own or self._is_foreign(file)):
                    raise Unavailable(
                        f"state: {self._folder}: another process has this folder: give each job a "
                        "folder of its own, and stop the old version before the new one starts"
                    )
            self._descriptor = os.open(own, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = json.dumps({"addresses": self._member.addresses, "nonce": self.nonce})
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

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

    def _is_foreign(self, file: Path) -> bool:
        """Return whether the holder of a lock belongs to another job."""
        return content(file).get("addresses") != [*self._member.addresses]


def is_held_here(folder: Path, process: int, nonce: str) -> bool:
    """Return whether a process has its lock in this folder, and not in a copy of it."""
    return bool(content(_file(folder, process)).get("nonce") == nonce)


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Let one process at a time, of those that share a folder, change what all of them use."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def content(file: Path) -> dict[str, Any]:
    """Return what a lock says; nothing if it is not there, or was never written."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _file(folder: Path, process: int | str) -> Path:
    return folder / f"process-{process}.lock"


def _is_held(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
