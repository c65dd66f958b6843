"""Starts the process of a contender, waits for it, ends it, and shows its output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).resolve().parents[1]

MAX_START_SECONDS = 30
MAX_END_SECONDS = 40
"""More than `drain_timeout` of `pipeline.yaml`, 30 s."""


@contextmanager
def running(
    name: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start Python with these arguments, and kill the process at the end of the block.

    Raises:
        AssertionError: the block has raised it; its text begins with `name`, and ends with the
            output of the process.
    """
    with TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=printed,
            stderr=printed,
        )
        try:
            yield process
        except AssertionError as error:
            printed.seek(0)
            raise AssertionError(f"{name}: {error}\n{printed.read()}") from error
        finally:
            process.kill()
            process.wait()


def wait(
    process: subprocess.Popen[bytes],
    condition: Callable[[], bool],
    seconds_between: float,
    max_seconds: float,
) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: the process has ended, or it took longer than `max_seconds`.
    """
    deadline = time.monotonic() + max_seconds
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, f"was not ready after {max_seconds:g} s"
        time.sleep(seconds_between)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process by SIGTERM.

    Raises:
        AssertionError: it took longer than `MAX_END_SECONDS`, or failed.
    """
    process.terminate()
    try:
        process.wait(MAX_END_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"did not end within {MAX_END_SECONDS} s") from None
    assert process.returncode in (0, -signal.SIGTERM), f"ended with {process.returncode}"
