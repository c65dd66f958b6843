"""Finds and ends processes that another process of ours has started."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path


def find(pid_file: Path, mark: str) -> int | None:
    """Find the process that a file names, if it is still the one with that mark.

    The number alone is not enough, because another process may have it now; so the command line
    must contain the mark too.
    """
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if mark.encode() in command else None


def has_ended(pid_file: Path) -> bool:
    """Whether the process that a file names has ended; false if the file names none yet.

    `find` does not know it: during `exec` a process has no command line.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return True
    return state in "ZX"  # a zombie: its parent has not waited for it yet


def end(pid: int, how: signal.Signals, patience: float) -> None:
    """Send a signal, and wait until the process is gone: its ports are free, its files closed.

    After `patience` seconds it is killed.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for each in (how, signal.SIGKILL):
            signal.pidfd_send_signal(process, each)
            if select.select([process], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(process)
