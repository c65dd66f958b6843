"""Two jobs on one queue, as two replicas or a rolling update have; neither knows the other."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from tests.chaos.supervisor import Supervisor

OVERLAP = 10.0
"""Seconds in which a job and its successor both run."""


class Jobs(Protocol):
    """What runs on the queue: a `Supervisor`, or one of these."""

    @property
    def strange(self) -> list[str]:
        """Ends without a cause, and such as took too long."""

    @property
    def lives(self) -> int:
        """How often a job was started."""

    def start(self) -> None: ...

    def kill(self, draw: float) -> None: ...

    def terminate(self, draw: float) -> None: ...

    def complete(self) -> None: ...

    def said(self, pattern: str) -> int: ...

    def stops(self) -> int: ...

    def finish(self) -> list[int]: ...

    def abandon(self) -> None: ...


class Several:
    """Jobs that are looked after one by one, each with a folder of its own."""

    def __init__(self, spec: Path) -> None:
        self._spec = spec
        self._all: list[Supervisor] = []
        self._running: list[Supervisor] = []

    @property
    def lives(self) -> int:
        """See `Jobs`."""
        return sum(one.lives for one in self._all)

    @property
    def strange(self) -> list[str]:
        """See `Supervisor`."""
        return [what for one in self._all for what in one.strange]

    def kill(self, draw: float) -> None:
        """One of them."""
        self._drawn(draw).kill(draw)

    def complete(self) -> None:
        """All of them."""
        for one in self._running:
            one.complete()

    def said(self, pattern: str) -> int:
        """In all logs."""
        return sum(one.said(pattern) for one in self._all)

    def stops(self) -> int:
        """Of all of them."""
        return sum(one.stops() for one in self._all)

    def finish(self) -> list[int]:
        """Drain all that run, one after the other."""
        return [code for one in self._running for code in one.finish()]

    def abandon(self) -> None:
        """Kill all that run."""
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


class Independent(Several):
    """Two jobs all the time."""

    def start(self) -> None:
        """Begin."""
        for _ in range(2):
            self._begin()

    def terminate(self, draw: float) -> None:
        """SIGTERM to one of them, which is started again."""
        self._drawn(draw).terminate(draw)


class Rolling(Several):
    """One job, that overlaps its successor whenever it is to end."""

    def __init__(self, spec: Path) -> None:
        super().__init__(spec)
        self._abandoned = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._begin()

    def terminate(self, _draw: float) -> None:
        """Start the successor; SIGTERM to the one before, after a while."""
        [old] = self._running
        self._begin()
        if not self._abandoned.wait(OVERLAP):
            old.retire()
            self._running.remove(old)

    def abandon(self) -> None:
        """Kill all that run."""
        self._abandoned.set()
        super().abandon()


def jobs(spec: Path, shape: str) -> Jobs:
    """What runs in a shape."""
    if shape == "independent":
        return Independent(spec)
    return Rolling(spec) if shape == "rolling" else Supervisor(spec, shape)
