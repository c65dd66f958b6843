"""Watches a process from outside: its CPU, its memory, and when it last sent to the broker.

Linux only. The measured program needs no changes.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path


class WatchedProcess:
    """A process with a connection to a broker at a port."""

    def __init__(self, pid: int, broker_port: int) -> None:
        self._pid, self._port = pid, broker_port

    def cpu_seconds(self) -> float:
        """See the function of this name."""
        return cpu_seconds(self._pid)

    def memory_bytes(self) -> int:
        """The largest resident memory so far."""
        # Not `ru_maxrss`: a child begins with the memory of its parent there.
        status = Path(f"/proc/{self._pid}/status").read_text()
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])

    def silent_seconds(self) -> float:
        """Seconds since it last sent to the broker, by the kernel, to 4 ms."""
        sockets = subprocess.run(
            ["ss", "-tinpHO", "state", "established", f"( dport = :{self._port} )"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        own = [line for line in sockets if f"pid={self._pid}," in line]
        assert own, "it has lost its connection to the broker"
        # `ss` does not print a zero.
        return min(int((re.findall(r"lastsnd:(\d+)", line) or [0])[0]) for line in own) / 1000


def cpu_seconds(pid: int) -> float:
    """The CPU of all threads of a process so far, in user and in system mode."""
    # The number of a CPU clock of another process on Linux: CPUCLOCK_SCHED of the process id.
    return time.clock_gettime((~pid << 3) | 2)
