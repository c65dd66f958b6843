"""Fills the disk of a job's state, and notices its commits."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOM = 40 * 1024
"""Bytes that a file may have while the disk is full: two commits of a shard; the job logs less."""
TRIED_AGAIN = "cannot make a commit durable"
"""In the log of the job."""


@contextmanager
def disk_full(pids: Callable[[], list[int]]) -> Iterator[Callable[[], None]]:
    """Within this block the job can write no file beyond `ROOM`.

    A write beyond it fails, or writes only a part, as on a full disk. It needs no rights. Call the
    result from time to time, for processes that have started meanwhile.
    """
    before: dict[int, tuple[int, int]] = {}

    def fill() -> None:
        for pid in {*pids()}.difference(before):
            with suppress(ProcessLookupError):
                limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, limits[1]))
                before[pid] = limits

    fill()
    try:
        yield fill
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def wait_for_commit(state: Path, within: float) -> bool:
    """Return when a commit is being written, with `False` if there is none in so many seconds.

    SQLite writes a commit to its log piece by piece, and then waits for the disk.
    """
    deadline, before = time.monotonic() + within, _logs(state)
    while (now := _logs(state)) == before or not now:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True


def _logs(state: Path) -> list[tuple[int, int]]:
    """The size of each log of SQLite, and when it was written, in nanoseconds."""
    found = []
    for log in state.glob("*.sqlite-wal"):
        with suppress(FileNotFoundError):
            found.append((log.stat().st_size, log.stat().st_mtime_ns))
    return found
