"""Two jobs on one queue, like two replicas or a rolling update; neither knows the other."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from tests.chaos.supervisor import Supervisor

OVERLAP = 10.0
"""Seconds in which a job and its successor both run."""


class Jobs(Protocol):
    """The interface of the jobs on the queue: a `Supervisor`, or several of them."""

    @property
    def unexpected(self) -> list[str]:
        """Ends without a cause, and ends that took too long."""

    @property
    def lives(self) -> int:
        """How often a job was started."""

    def start(self) -> None: ...

    def kill(self, draw: float) -> None: ...

    def terminate(self, draw: float) -> None: ...

    def consumes(self) -> bool: ...

    def pids(self) -> list[int]: ...

    def complete(self) -> None: ...

    def count_in_logs(self, pattern: str) -> int: ...

    def stops(self) -> int: ...

    def finish(self) -> list[int]: ...

    def abandon(self) -> None: ...


class SeveralJobs:
    """Several supervised jobs, each with a folder of its own."""

    def __init__(self, spec: Path) -> None:
        self._spec = spec
        self._all: list[Supervisor] = []
        self._running: list[Supervisor] = []

    @property
    def lives(self) -> int:
        """See `Jobs`."""
        return sum(one.lives for one in self._all)

    @property
    def unexpected(self) -> list[str]:
        """See `Supervisor`."""
        return [what for one in self._all for what in one.unexpected]

    def kill(self, draw: float) -> None:
        """Kill one of the jobs."""
        self._drawn(draw).kill(draw)

    def consumes(self) -> bool:
        """Whether all jobs do."""
        return all(one.consumes() for one in self._running)

    def pids(self) -> list[int]:
        """Return those of all jobs."""
        return [pid for one in self._running for pid in one.pids()]

    def complete(self) -> None:
        """Complete the groups of all jobs."""
        for one in self._running:
            one.complete()

    def count_in_logs(self, pattern: str) -> int:
        """Count in all logs."""
        return sum(one.count_in_logs(pattern) for one in self._all)

    def stops(self) -> int:
        """The stops of all jobs."""
        return sum(one.stops() for one in self._all)

    def finish(self) -> list[int]:
        """Drain all running jobs, one after the other."""
        return [code for one in self._running for code in one.finish()]

    def abandon(self) -> None:
        """Kill all running jobs."""
        for one in self._running:
            one.abandon()

    def _drawn(self, draw: float) -> Supervisor:
        return self._running[int(draw * len(self._running))]

    def _begin(self) -> Supervisor:
        folder = self._spec.parent / f"job-{len(self._all)}"
        folder.mkdir()
        spec = folder / self._spec.name
        spec.write_text(self._spec.read_text())
        one = Supervisor(spec, "one")
        self._all.append(one)
        self._running.append(one)
        one.start()
        return one


class Independent(SeveralJobs):
    """Two jobs at all times."""

    def start(self) -> None:
        """Start both."""
        for _ in range(2):
            self._begin()

    def terminate(self, draw: float) -> None:
        """Send SIGTERM to one of them, which is started again."""
        self._drawn(draw).terminate(draw)


class Rolling(SeveralJobs):
    """One job, which overlaps its successor whenever it ends."""

    def __init__(self, spec: Path) -> None:
        super().__init__(spec)
        self._abandoned = threading.Event()

    def start(self) -> None:
        """Start the first job."""
        self._begin()

    def terminate(self, _draw: float) -> None:
        """Start the successor, and send SIGTERM to the previous job after a while."""
        [old] = self._running
        self._begin()
        if not self._abandoned.wait(OVERLAP):
            old.retire()
            self._running.remove(old)

    def abandon(self) -> None:
        """Kill all running jobs."""
        self._abandoned.set()
        super().abandon()


def jobs(spec: Path, shape: str) -> Jobs:
    """The jobs of a shape."""
    if shape == "independent":
        return Independent(spec)
    return Rolling(spec) if shape == "rolling" else Supervisor(spec, shape)
