"""How the job ends before its input does: signals ask for a drain, and a clock limits it.

Nothing stops a Bytewax dataflow gracefully but the end of its input. So a signal only leaves word
here; the sources find it, stop consuming, and end.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from flows.audit.reconcile import Accounts
from flows.values.stop import Stop

LOG = logging.getLogger("hopper")

EXIT_UNAVAILABLE = 1
"""Exit code when a service cannot be reached or does not let us in."""
EXIT_NOT_DRAINED = 3
"""Exit code when the drain has taken too long; a second signal ends with 128 + its number."""


DRAINING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that ask for a drain. A terminal that is closed sends SIGHUP: without a handler it would
end the process undrained."""


class ProcessStop(Stop):
    """The requests that signals make; a drain that takes too long ends the process."""

    def __init__(
        self, timeout: float, unacknowledged: Callable[[], int], accounts: Accounts | None = None
    ) -> None:
        """`timeout` in seconds; `unacknowledged` counts the messages that are not acknowledged yet.

        `accounts`: what the log tells of open groups, and of messages when the drain takes too
        long.
        """
        super().__init__()
        self._timeout, self._unacknowledged = timeout, unacknowledged
        self._accounts = accounts or Accounts()
        self._announced, self._completions_told = False, 0

    def on_signals(self) -> None:
        """Let SIGTERM, SIGHUP and Ctrl-C drain the job, and the second of them end it at once.

        SIGUSR1 completes all groups of the process.
        """
        signal.signal(signal.SIGUSR1, lambda _number, _frame: self.complete())
        for number in DRAINING:
            signal.signal(number, lambda number, _frame: self._on_signal(signal.Signals(number)))

    def request(self, reason: str) -> None:
        """See `Stop`; from then on the time counts."""
        if self.reason is None:
            super().request(reason)
            timer = threading.Timer(self._timeout, self._give_up)
            timer.daemon = True
            timer.start()

    def fail(self, reason: str) -> None:
        """End the process now: a service refuses for good what the job needs.

        An exception in the dataflow would end it too, as a Rust panic with a traceback.
        """
        LOG.error("%s", reason)
        logging.shutdown()
        os._exit(EXIT_UNAVAILABLE)

    def announce(self) -> None:
        """Tell, once, that the job ends: a signal must not do it."""
        if not self._announced:
            self._announced = True
            LOG.info("draining: %s", self.reason)

    def announce_completion(self) -> None:
        """Tell, once for each time, that this happens."""
        if self._completions_told != self.completions:
            self._completions_told = self.completions
            LOG.info("completing %d open groups: SIGUSR1", self._accounts.groups.groups)

    def _on_signal(self, number: signal.Signals) -> None:
        # No logging here: the signal may have interrupted the very code that holds its lock.
        if self.reason is not None:
            os._exit(128 + number)
        self.request(number.name)

    def _give_up(self) -> None:
        LOG.error(
            "not drained after %g s: %d messages are left unacknowledged, and will be delivered "
            "again: %s",
            *(self._timeout, self._unacknowledged(), self._accounts.messages),
        )
        logging.shutdown()
        os._exit(EXIT_NOT_DRAINED)
