"""A process is identified by more than its number, which another process may get later."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.waiting import until
from tools.local import process

DEAF = ["sh", "-c", "trap '' TERM; echo; exec sleep 60"]


def test_it_is_found_by_its_number_and_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert process.find(file, "60") is None, "nothing is written yet"
    with subprocess.Popen(["sleep", "60"]) as child:
        file.write_text(f"{child.pid}\n")

        until(lambda: process.find(file, "60") == child.pid)
        assert process.find(file, "61") is None
        child.kill()


def test_a_zombie_has_ended_before_its_parent_waits_for_it(tmp_path: Path) -> None:
    """In a container the parent may never do so."""
    file = tmp_path / "pid"
    assert not process.has_ended(file), "nothing is written yet"
    with subprocess.Popen(["sleep", "60"]) as child:
        file.write_text(str(child.pid))
        assert not process.has_ended(file)

        child.kill()

        until(lambda: process.has_ended(file))
        assert process.find(file, "60") is None
    assert process.has_ended(file)


def test_ending_waits_until_the_process_is_gone() -> None:
    command = "import signal, time; signal.signal(2, lambda *_: exit(time.sleep(0.2))); print(1)"
    python = [sys.executable, "-u", "-c", f"{command}; time.sleep(60)"]
    with subprocess.Popen(python, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()

        process.end(child.pid, signal.SIGINT, patience=30)

        assert child.poll() == 0


def test_a_process_that_ignores_sigterm_is_killed_after_a_while() -> None:
    with subprocess.Popen(DEAF, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        before = time.monotonic()

        process.end(child.pid, signal.SIGTERM, patience=0.2)

        assert child.poll() == -signal.SIGKILL
        assert time.monotonic() - before < 30


def test_ending_a_process_that_is_gone_does_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()

        process.end(child.pid, signal.SIGTERM, patience=1)
