"""Whether a job is to end, and whether all of its groups are to be complete: requests, no deeds.

Pure. The steps look here; who requests it, and what limits it, is in `flows/process/stop.py`.
"""

from __future__ import annotations


class Stop:
    """What is requested of all steps of a process."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """Why the job is to end; `None`: it goes on."""
        self.completions = 0
        """How often all groups of the process were requested to complete."""
        self.begun = False
        """Whether the dataflow runs: it does not before all processes of the cluster are there."""

    def request(self, reason: str) -> None:
        """Ask for a drain; only the first request counts."""
        if self.reason is None:
            self.reason = reason

    def complete(self) -> None:
        """Ask for all groups of the process to be complete now."""
        self.completions += 1

    def announce(self) -> None:
        """A step obeys the request for a drain."""

    def announce_completion(self) -> None:
        """A step obeys the last request to complete all groups."""
