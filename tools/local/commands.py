"""Commands that have to succeed; servers are not started here, for they do not return."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.local.folders import CannotStart

MAX_WORDS = 3000
"""Characters of a command's output that a message carries: about a screen, from its end."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Run a command that asks nothing; `environment` is added to ours.

    Raises:
        CannotStart: it failed; the message has the end of what it printed.
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
