"""Watches a process from outside: its CPU, its memory, and when it last told the broker something.

Linux only. What is measured needs no part of it inside, so that any program can be.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path


class WatchedProcess:
    """A process that talks to a broker at a port."""

    def __init__(self, pid: int, broker_port: int) -> None:
        self._pid, self._port = pid, broker_port

    def cpu_seconds(self) -> float:
        """See the function of this name."""
        return cpu_seconds(self._pid)

    def memory_bytes(self) -> int:
        """The most it ever had resident."""
        # Not `ru_maxrss`: there, a child begins with what its parent has.
        status = Path(f"/proc/{self._pid}/status").read_text()
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])

    def silent_seconds(self) -> float:
        """Since when it has sent nothing to the broker: the kernel knows, to 4 ms."""
        sockets = subprocess.run(
            ["ss", "-tinpHO", "state", "established", f"( dport = :{self._port} )"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        own = [line for line in sockets if f"pid={self._pid}," in line]
        assert own, "it has lost its connection to the broker"
        # What is zero is not printed.
        return min(int((re.findall(r"lastsnd:(\d+)", line) or [0])[0]) for line in own) / 1000


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used so far, in user and in system mode."""
    # So Linux numbers the clocks of other processes: CPUCLOCK_SCHED of the process id.
    return time.clock_gettime((~pid << 3) | 2)
