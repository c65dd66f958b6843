"""The folders of local servers, their owners, and locks."""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class CannotStart(Exception):
    """This machine cannot run a local server; the message names what is missing."""


def root_folder() -> Path:
    """The folder of all local servers, shared by all clones of one user; made if it is missing.

    `HOPPER_LOCAL`, or else `/var/cache/hopper` for root (whose servers run as other accounts, and
    those cannot look into its home), or else `hopper` in the user's cache folder.

    Raises:
        CannotStart: it cannot be made.
    """
    if "HOPPER_LOCAL" in os.environ:
        folder = Path(os.environ["HOPPER_LOCAL"]).absolute()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/hopper")
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hopper"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"cannot make {folder} ({error.strerror}): set HOPPER_LOCAL to a folder of yours"
        ) from error
    return folder


def run_as(account: str) -> dict[str, Any]:
    """Arguments for `subprocess` that run a command as `account`, if we are root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give(folder: Path, account: str) -> None:
    """Make `account` the owner of a folder and its content, if we are root.

    Raises:
        CannotStart: the account cannot reach the folder.
    """
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(account)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    if subprocess.run(["test", "-x", folder], check=False, **run_as(account)).returncode != 0:
        raise CannotStart(
            f"user {account} cannot enter {folder}: set HOPPER_LOCAL to another place"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time run the block."""
    file = take_lock(path, wait=True)
    try:
        yield
    finally:
        os.close(file)


def take_lock(path: Path, *, wait: bool) -> int:
    """Lock a file until the returned descriptor is closed, or this process ends in any way.

    Raises:
        BlockingIOError: another holds the lock, and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(file)
        raise
    return file
