"""Runs commands that must succeed and return; servers are started elsewhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.local.folders import CannotStart

MAX_WORDS = 3000
"""The last characters of a command's output that an error shows: about a screen."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Run a command without input; `environment` is added to ours.

    Raises:
        CannotStart: it failed; the message ends with its output.
    """
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        line = " ".join(map(str, command))
        raise CannotStart(f"this failed: {line}\n{done.stdout[-MAX_WORDS:]}")
