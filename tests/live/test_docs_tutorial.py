"""The tutorial: each of its steps in one shell, and what the step shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.deploy import promql
from tests.documents import ROOT, TUTORIAL, Block, blocks
from tests.live.store import StoreClient
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

PORT = "9100"
"""The port of the job in the tutorial; the test takes a free one."""
NAME = "tutorial"
"""The job, its queue, its indices and its template in the tutorial; the test has its own."""


@pytest.fixture
def name(queue: str, elasticsearch_url: str) -> Iterator[str]:
    """What takes the place of `NAME`; all that has this name is deleted afterwards."""
    yield queue
    store = StoreClient(elasticsearch_url)
    for index in (queue, f"{queue}-quarters"):
        store.ask("DELETE", f"/{index}?ignore_unavailable=true")
    store.ask("DELETE", f"/_index_template/{queue}*")


class Shell:
    """A shell as its reader has it, in which one block after the other runs."""

    END = "--- the end of a block"

    def __init__(self, home: Path) -> None:
        self._home, self._errors = home, home / "errors"
        # `make` only says what it would do: the packages are there, or this test would not run.
        environment = {"HOME": str(home), "MAKEFLAGS": "n", "PYTHONPATH": str(ROOT)}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                ["bash"],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def run(self, script: str) -> str:
        """The output of a script, which reads nothing itself."""
        step = self._home / "step.sh"
        step.write_text(script)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f'. {step} < /dev/null\nprintf "\\n%s\\n" "{self.END}"\n')
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line == f"{self.END}\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell has ended: {self.errors}")

    @property
    def errors(self) -> str:
        """What went to standard error, and what the job has logged."""
        logs = self._home.glob("*/job.log")
        return "".join(path.read_text() for path in (self._errors, *logs))


def test_each_step_shows_what_stands_below_it(
    name: str,
    rabbitmq_url: str,
    elasticsearch_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step with something below it only looks, so it is repeated until it shows that."""
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.delenv("HOPPER_PIPELINE", raising=False)
    port = str(free_ports(1)[0])
    steps = [
        block._replace(text=block.text.replace(NAME, name).replace(PORT, port))
        for block in blocks(path=TUTORIAL)
    ]

    with Shell(tmp_path) as shell:
        for step, below in zip(steps, [*steps[1:], None], strict=True):
            if step.file:
                (tmp_path / name / step.file).write_text(step.text)
            elif step.language == "yml":
                check_dashboard(f"http://127.0.0.1:{port}")
            elif step.language == "sh" and below is not None and below.language == "text":
                look(shell, step, below)
            elif step.language == "sh":
                shell.run(f"set -e\n{step.text}set +e\n")  # the shell ends at an error


def look(shell: Shell, step: Block, below: Block) -> None:
    """Run a step until it shows what is below it, in which `…` stands for anything."""
    expected = re.escape(" ".join(below.text.split())).replace("…", ".*")
    seen = ""

    def is_there() -> bool:
        nonlocal seen
        seen = " ".join(shell.run(step.text).split())
        return re.fullmatch(expected, seen) is not None

    try:
        until(is_there, 60)
    except AssertionError:
        raise AssertionError(f"{step} shows: {seen}\n{shell.errors}") from None


def check_dashboard(url: str) -> None:
    """The page answers, and the job has every series that the dashboard reads."""
    with urllib.request.urlopen(f"{url}/") as page:
        assert b"<title>" in page.read()
    with urllib.request.urlopen(f"{url}/metrics") as metrics:
        shown = set(re.findall(r"^(?:# TYPE )?(\w+)", metrics.read().decode(), re.MULTILINE))
    panels = json.loads((ROOT / "deploy" / "grafana" / "hopper.json").read_text())["panels"]
    read = {
        series
        for panel in panels
        for target in panel.get("targets", ())
        for series in promql.check(target["expr"])
    }
    assert {re.sub("_(bucket|sum|count)$", "", one) for one in read} <= shown
