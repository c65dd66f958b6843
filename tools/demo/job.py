"""The job as users run it: a process of its own, whose log goes to a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from tools.demo.trouble import DemoTrouble

ROOT = Path(__file__).resolve().parents[2]
"""The folder of `flows` and `connectors`."""

COMMAND = ["-m", "bytewax.run", "flows.pipeline"]
"""The arguments of Python."""

MAX_DRAIN_SECONDS = 40
"""More than `drain_timeout` of the job, which is 30 s by default."""

MAX_LEAVE_SECONDS = 5
"""After an error the demo waits no longer; a drain without problems takes a second."""


class DemoJob:
    """One process; the end of the `with` block ends it, if it still runs."""

    def __init__(self, spec: Path, environment: dict[str, str]) -> None:
        """Describe it; `with` starts it. `environment` is added to ours."""
        text = {"HOPPER_LOG_FORMAT": "text"}  # `take_warnings` shows lines of it to a person
        self._environment = {**os.environ, **text, **environment, "HOPPER_PIPELINE": str(spec)}
        self._seen = 0  # bytes of the log that `take_warnings` has read

    def __enter__(self) -> DemoJob:
        file, name = tempfile.mkstemp(prefix="hopper-demo-", suffix=".log")
        self._file = os.fdopen(file, "wb")
        self.log = Path(name)
        """Its log, which is kept only after an error."""
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=self._file,
            # Otherwise Ctrl-C would reach the job too, and our own signal would be the second one,
            # which ends it without a drain.
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._end(MAX_LEAVE_SECONDS)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._file.close()
            if not isinstance(error, DemoTrouble):
                self.log.unlink()

    def drain(self) -> None:
        """Send SIGTERM, and wait until it has ended with exit code 0.

        Raises:
            DemoTrouble: it has not; with the end of its log.
        """
        code = self._end(MAX_DRAIN_SECONDS)
        if code is None:
            raise self._trouble(f"The job has not ended within {MAX_DRAIN_SECONDS} s")
        if code != 0:
            raise self._trouble(f"The job has ended with exit code {code}")

    def check(self) -> None:
        """Check that it runs.

        Raises:
            DemoTrouble: it does not; with the end of its log.
        """
        code = self._process.poll()
        if code is not None:
            raise self._trouble(f"The job has ended by itself, with exit code {code}")

    def take_warnings(self) -> list[str]:
        """Return the warnings and errors that it has logged since the last call."""
        with self.log.open("rb") as file:
            file.seek(self._seen)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._seen += len(whole)
        lines = whole.decode(errors="replace").splitlines()
        return [line for line in lines if " WARNING " in line or " ERROR " in line]

    def _end(self, seconds_max: float) -> int | None:
        """Drain it; return the exit code, or `None` if that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            return None

    def _trouble(self, what: str) -> DemoTrouble:
        end = self.log.read_text(errors="replace").splitlines()[-25:]
        return DemoTrouble("\n".join([f"{what}; its log, {self.log}, ends with:", "", *end]))
