"""`make` alone lists its targets."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = ["make", "--no-print-directory"]  # make prints that itself when it runs within another make


def test_every_target_is_listed_with_a_line_of_help() -> None:
    targets = re.search(r"^\.PHONY: help (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None

    listed = subprocess.check_output(LIST, cwd=ROOT, text=True).splitlines()

    assert [line.split("\t")[0].strip() for line in listed] == [
        f"make {target}" for target in targets[1].split()
    ]
    assert all(line.split("\t")[1] for line in listed)


def test_continuous_integration_runs_the_targets_of_developers() -> None:
    commands = (ROOT / ".ci" / "run").read_text().splitlines()

    assert commands[-1] == "exec make test"
