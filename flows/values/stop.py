"""Holds requests to pause or drain the job, or to complete all groups; the steps carry them out.

Pure. `flows/process/stop.py` makes the requests from signals, and limits the drain; a pause comes
from `flows/process/server.py`.
"""

from __future__ import annotations

from typing import NoReturn

from connectors.errors import Unavailable
from connectors.message import Reload


class Stop:
    """The requests to all steps of a process."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """Why the job drains; `None`: no drain is requested."""
        self.reload: Reload | None = None
        """Why the process starts anew after the drain; `None`: it ends."""
        self.completions = 0
        """How many requests there were to complete all groups of the process."""
        self.begun = False
        """Whether the dataflow has begun: it begins when all processes of the cluster are
        connected."""

        self.paused = False
        """Whether the consumers of the process are to receive nothing. Groups complete, documents
        are written, and messages are acknowledged as before."""

    def request(self, reason: str, reload: Reload | None = None) -> None:
        """Request a drain; only the first request counts, but an end takes the place of a reload.

        `reload`: the process starts anew after the drain.
        """
        if self.reason is None or (self.reload is not None and reload is None):
            self.reason, self.reload = reason, reload

    def fail(self, reason: str) -> NoReturn:
        """End the process now: it is refused for good.

        Raises:
            Unavailable: this class ends no process.
        """
        raise Unavailable(reason)

    def complete(self) -> None:
        """Request that all groups of the process are completed now."""
        self.completions += 1

    def announce(self) -> None:
        """Note that a step begins the drain."""

    def announce_completion(self) -> None:
        """Note that a step carries out the last request to complete all groups."""
