"""Processes that were started long ago, by another process of ours; knows nothing of servers."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path


def find(pid_file: Path, mark: str) -> int | None:
    """Find the process that a file names, if it is still the one with that mark.

    The number alone proves nothing, because another process may have been given it since; so the
    mark has to be in its command line too.
    """
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if mark.encode() in command else None


def has_ended(pid_file: Path) -> bool:
    """Tell whether the process that a file names is gone; not when the file names none yet.

    `find` cannot tell: while a process goes over to another program, it has no command line.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return True
    return state in "ZX"  # dead, but its parent has not been told yet


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
