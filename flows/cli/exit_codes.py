"""The exit codes of all commands; `hopper run` has those of the job."""

from __future__ import annotations

DONE = 0
"""All is well, or done."""
UNAVAILABLE = 1
"""A service cannot be reached, does not let us in, or refuses what the pipeline needs."""
WRONG = 2
"""An option, a file or the pipeline is wrong; nothing was done."""
PARTLY = 3
"""Some of the dead letters that were selected stay where they are."""
INTERRUPTED = 130
"""Ctrl-C, or no answer to a question; what was done by then is done."""
