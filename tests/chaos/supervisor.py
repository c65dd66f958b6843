"""Runs the job, and starts it again after any end, as systemd would."""

from __future__ import annotations

import re
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from tests.live.job import LOGS, JobProcess
from tools.local.ports import free_ports

SHAPES = ("one", "threads", "cluster", "independent", "rolling")
"""One process, one with two workers, two processes; and two jobs, see `shared.py`."""
OF_DURABLE = ("one", "threads", "cluster")
"""Those of jobs that keep their groups in a folder: a second job on the folder is refused."""
CONSUMES = ": consuming"
"""In the log of each process that has begun to consume."""
STOPPED = "reads nothing for .* then a message as a probe"
AWAY = "ERROR hopper [chaos]: RabbitMQ, "
"""The job ends if the broker does not answer at its start, or the connection is lost then."""
BLOCKED = "is blocked for writing by index.blocks"
"""Or if the index is blocked for writing then."""
ENDS_WITHIN = 30.0
"""Seconds: when one process of a cluster has ended, so do the others."""


class Supervisor(threading.Thread):
    """Supervises the processes of one job, until it is finished."""

    def __init__(self, spec: Path, shape: str) -> None:
        super().__init__(daemon=True)
        self._spec, self._shape = spec, shape
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._open = ExitStack()
        self._jobs: list[JobProcess] = []
        self._ended_on_purpose = False
        self.lives = 0
        """How many times the job was started."""
        self.unexpected: list[str] = []
        """Ends without a cause, and ends that took too long."""

    def run(self) -> None:
        self._start()
        while not self._finished.wait(0.1):
            with self._lock:
                self._restart_ended()

    def kill(self, draw: float) -> None:
        """Kill one process with `kill -9`."""
        with self._lock:
            self._ended_on_purpose = True
            self._jobs[int(draw * len(self._jobs))].process.kill()

    def terminate(self, draw: float) -> None:
        """Send SIGTERM to one process; all of them drain."""
        with self._lock:
            self._ended_on_purpose = True
            self._jobs[int(draw * len(self._jobs))].process.send_signal(signal.SIGTERM)

    def consumes(self) -> bool:
        """Whether all processes run, and have begun to consume."""
        with self._lock:
            return all(job.process.poll() is None and CONSUMES in job.log for job in self._jobs)

    def pids(self) -> list[int]:
        """Return the ids of all running processes."""
        with self._lock:
            return [job.process.pid for job in self._jobs if job.process.poll() is None]

    def complete(self) -> None:
        """Send SIGUSR1 to all consuming processes: their open groups complete."""
        with self._lock:
            for job in self._jobs:
                if job.process.poll() is None and CONSUMES in job.log:
                    job.process.send_signal(signal.SIGUSR1)

    def count_in_logs(self, pattern: str) -> int:
        """How often a pattern is in the logs of all starts."""
        logs = self._spec.parent.glob(LOGS)
        return sum(len(re.findall(pattern, log.read_text())) for log in logs)

    def stops(self) -> int:
        """How often a consumer has stopped at the limit on rejections."""
        return self.count_in_logs(STOPPED)

    def finish(self) -> list[int]:
        """Drain the job for good; return the exit codes."""
        self._finished.set()
        self.join()
        if any(job.process.poll() is not None for job in self._jobs):
            self._end_all()
            self._start()
        for job in self._jobs:
            job.wait_for_log(CONSUMES, 60)
        self._jobs[0].process.send_signal(signal.SIGTERM)
        return self._end_all()

    def retire(self) -> None:
        """Drain the job for good, also while services are down: the drain may fail."""
        self._finished.set()
        self.join()
        for job in self._jobs:
            if job.process.poll() is None:
                job.process.send_signal(signal.SIGTERM)
        self._end_all()

    def abandon(self) -> None:
        """Kill all running processes."""
        self._finished.set()
        self.join()
        self._open.close()

    def _start(self) -> None:
        arguments: list[tuple[str, ...]] = [()]
        if self._shape == "threads":
            arguments = [("-w", "2")]
        elif self._shape == "cluster":
            addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
            arguments = [("-a", addresses, "-i", number) for number in "01"]
        self._open, self._ended_on_purpose = ExitStack(), False
        self.lives += 1
        self._jobs = [self._open.enter_context(JobProcess(self._spec, *each)) for each in arguments]

    def _restart_ended(self) -> None:
        if any(job.process.poll() is not None for job in self._jobs):
            self._end_all()
            self._start()

    def _end_all(self) -> list[int]:
        """Wait until all have ended, and record unexpected ends."""
        for job in self._jobs:
            # A process that still waits for others at its start does not notice that they are gone.
            if job.process.poll() is None and CONSUMES not in job.log:
                job.process.kill()
        deadline = time.monotonic() + ENDS_WITHIN
        while any(job.process.poll() is None for job in self._jobs):
            if time.monotonic() > deadline:
                self.unexpected.append(f"life {self.lives}: had to be killed")
                break
            time.sleep(0.05)
        codes = [job.process.poll() for job in self._jobs]
        self._open.close()  # kills the remaining ones
        away = any(AWAY in job.log or BLOCKED in job.log for job in self._jobs)
        if not (self._ended_on_purpose or away or self._finished.is_set()):
            self.unexpected.append(f"life {self.lives}: ended by itself, {codes}")
        return [-1 if code is None else code for code in codes]
