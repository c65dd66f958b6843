"""The exit codes of all commands, except `hopper run`, which has those of the job."""

from __future__ import annotations

DONE = 0
"""The command succeeded."""
UNAVAILABLE = 1
"""A service is unreachable, refuses the login, or refuses what the pipeline needs."""
WRONG = 2
"""An option, a file or the pipeline is invalid; the command did nothing."""
PARTLY = 3
"""Some of the selected dead letters stay in the queue."""
FAILED = 4
"""A test of a pipeline failed."""
DIFFERS = 5
"""The command has found differences, and they remain."""
INTERRUPTED = 130
"""Ctrl-C, or no answer to a question; what the command did before stays done."""
