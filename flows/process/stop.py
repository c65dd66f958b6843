"""Stops the job: a signal requests a drain, and a timer limits it.

A Bytewax dataflow stops gracefully only at the end of its input. So a signal handler only records
the request; the sources read it, stop consuming, and end.
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
"""Exit code when a service cannot be reached or refuses the job."""
EXIT_NOT_DRAINED = 3
"""Exit code when the drain exceeds its timeout; a second signal exits with 128 + its number."""


DRAINING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that request a drain. A closed terminal sends SIGHUP: without a handler it would end the
process without a drain."""


class ProcessStop(Stop):
    """The requests that signals make; a drain that exceeds its timeout ends the process."""

    def __init__(
        self, timeout: float, unacknowledged: Callable[[], int], accounts: Accounts | None = None
    ) -> None:
        """`timeout`: in seconds; `unacknowledged`: returns the number of messages in flight.

        `accounts`: the counts of groups and messages for the log.
        """
        super().__init__()
        self._timeout, self._unacknowledged = timeout, unacknowledged
        self._accounts = accounts or Accounts()
        self._announced, self._completions_announced = False, 0

    def on_signals(self) -> None:
        """Handle signals: the first SIGTERM, SIGHUP or Ctrl-C drains, the second ends at once.

        SIGUSR1 completes all groups of the process.
        """
        signal.signal(signal.SIGUSR1, lambda _number, _frame: self.complete())
        for number in DRAINING:
            signal.signal(number, lambda number, _frame: self._on_signal(signal.Signals(number)))

    def request(self, reason: str) -> None:
        """See `Stop`; the first request starts the timer."""
        if self.reason is None:
            super().request(reason)
            timer = threading.Timer(self._timeout, self._give_up)
            timer.daemon = True
            timer.start()

    def fail(self, reason: str) -> None:
        """End the process now, because a service definitely refuses the job.

        An exception in the dataflow would end it too, but with a Rust panic and a traceback.
        """
        LOG.error("%s", reason)
        logging.shutdown()
        os._exit(EXIT_UNAVAILABLE)

    def pause(self) -> None:
        """Let all consumers of the process receive nothing until `resume`."""
        if not self.paused:
            self.paused = True
            LOG.warning("paused: consumers receive nothing until `hopper resume`")

    def resume(self) -> None:
        """Let them receive messages again."""
        if self.paused:
            self.paused = False
            LOG.info("resumed: consumers receive messages again")

    def announce(self) -> None:
        """Log, once, that the job drains: a signal handler must not log."""
        if not self._announced:
            self._announced = True
            LOG.info("draining: %s", self.reason)

    def announce_completion(self) -> None:
        """Log each completion once."""
        if self._completions_announced != self.completions:
            self._completions_announced = self.completions
            LOG.info("completing %d open groups: SIGUSR1", self._accounts.groups.groups)

    def _on_signal(self, number: signal.Signals) -> None:
        # No logging here: the signal may have interrupted code that holds the lock of the log.
        if self.reason is not None:
            os._exit(128 + number)
        self.request(number.name)

    def _give_up(self) -> None:
        LOG.error(
            "not drained after %g s: %d messages are left unacknowledged, and the broker "
            "redelivers them: %s",
            *(self._timeout, self._unacknowledged(), self._accounts.messages),
        )
        logging.shutdown()
        os._exit(EXIT_NOT_DRAINED)
