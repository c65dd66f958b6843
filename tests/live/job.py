"""The job as users run it: a process on a `pipeline.yaml`."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from tests.waiting import until
from tools.local.ports import free_ports

SPEC = """
version: 1
name: test
source:
  rabbitmq:
    url: {rabbitmq}
    queue: {queue}
    prefetch: {prefetch}
    consumers: {consumers}
aggregate:
  window: {window}
  on_stop: {on_stop}
{aggregate}
sink:
  elasticsearch:
    url: {elasticsearch}
    index: {index}
    action: {action}
dead_letter:
  rabbitmq: {{exchange: "", routing_key: {queue}.parked}}
drain_timeout: {drain_timeout}
"""

LOGS = "job-*.log"
"""The logs of all processes of a folder; numbers tell in which order they were started."""

DEFAULTS = {
    "prefetch": "4000",
    "consumers": "auto",
    "window": "{count: 100, time: 500ms}",
    "on_stop": "write",
    "aggregate": "",
    "action": "index",
    "drain_timeout": "30s",
}


def spec_file(folder: Path, **values: str) -> Path:
    """Write a `pipeline.yaml`, with `DEFAULTS` for what is not given."""
    path = folder / "pipeline.yaml"
    path.write_text(SPEC.format(**(DEFAULTS | values)))
    return path


class JobProcess:
    """A process, or one of a cluster; the end of the `with` block kills it if it still runs."""

    def __init__(self, spec: Path, *arguments: str, terminal: int | None = None) -> None:
        """`terminal`: a file descriptor; the process leads the session of that terminal."""
        started = len([*spec.parent.glob(LOGS)])
        self._log = spec.parent / LOGS.replace("*", f"{started + 1}")
        self._file = self._log.open("xb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bytewax.run", "flows.pipeline", *arguments],
            env=os.environ | {"HOPPER_LOG_FORMAT": "text", "HOPPER_PIPELINE": str(spec)},
            stderr=self._file,
            stdout=self._file,
            start_new_session=terminal is not None,
            # Tests start no thread that could hold a lock at this moment.
            preexec_fn=None if terminal is None else partial(_take_terminal, terminal),  # noqa: PLW1509
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()

    @property
    def log(self) -> str:
        """What it has logged. Each process has a file of its own, with no words of earlier ones."""
        return self._log.read_text()

    def wait_for_log(self, text: str, timeout: float = 30) -> None:
        until(lambda: text in self.log, timeout)

    def drain(self, timeout: float = 40) -> int:
        """Send SIGTERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def cluster(*specs: Path, options: Sequence[str] = ()) -> Iterator[list[JobProcess]]:
    """The processes of a cluster, one for each file; all may have the same one."""
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(len(specs)))
    with ExitStack() as stack:
        yield [
            stack.enter_context(JobProcess(spec, "-a", addresses, "-i", f"{number}", *options))
            for number, spec in enumerate(specs)
        ]


def _take_terminal(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
