"""Processes that were started long ago, by another process of ours; knows nothing of servers."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path


def find(pid_file: Path, folder: Path) -> int | None:
    """Find the process that a file names, if it is still the one that works in `folder`.

    The number alone proves nothing, because another process may have been given it since; the
    folder has to be in the command line too.
    """
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    # The slash keeps the folder apart from others that begin with the same name.
    return pid if f"{folder}/".encode() in command.replace(b"\0", b"/") else None


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
