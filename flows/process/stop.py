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
from typing import NoReturn

from connectors.message import Reload
from flows.audit.reconcile import Accounts
from flows.values.stop import Stop

LOG = logging.getLogger("hopper")

EXIT_UNAVAILABLE = 1
"""Exit code when a service cannot be reached or refuses the job."""
EXIT_NOT_DRAINED = 3
"""Exit code when the drain exceeds its timeout; a second signal exits with 128 + its number."""


DRAINING = (signal.SIGTERM, signal.SIGINT)
"""Signals that request a drain. So does SIGHUP where a terminal was closed; elsewhere it requests a
reload."""


def has_terminal() -> bool:
    """Return whether the process has a controlling terminal, which is not closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


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
        self._announced: str | None = None
        self._completions_announced = 0
        self._had_terminal = has_terminal()
        self._renew: Callable[[], None] = lambda: None

    def on_signals(self, reload: Callable[[], None], renew: Callable[[], None]) -> None:
        """Handle signals: the first SIGTERM or Ctrl-C drains, the second ends at once.

        SIGHUP reloads, or drains if the terminal of the process is closed. SIGUSR1 completes all
        groups of the process.

        `reload`: requests a reload; `renew`: starts anew if a reload is the reason of the drain.
        """
        self._renew = renew
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._on_hangup(reload))
        signal.signal(signal.SIGUSR1, lambda _number, _frame: self.complete())
        for number in DRAINING:
            signal.signal(number, lambda number, _frame: self._on_signal(signal.Signals(number)))

    def request(self, reason: str, reload: Reload | None = None) -> None:
        """See `Stop`; the first request starts the timer."""
        is_first = self.reason is None
        super().request(reason, reload)
        if is_first:
            timer = threading.Timer(self._timeout, self._give_up)
            timer.daemon = True
            timer.start()

    def fail(self, reason: str) -> NoReturn:
        """End the process now, because a service or the state definitely refuses the job.

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
        """Log each reason of a drain once: a signal handler must not log."""
        if self._announced != self.reason:
            self._announced = self.reason
            LOG.info("draining: %s", self.reason)

    def announce_completion(self) -> None:
        """Log each completion once."""
        if self._completions_announced != self.completions:
            self._completions_announced = self.completions
            LOG.info("completing %d open groups: SIGUSR1", self._accounts.groups.groups)

    def _on_signal(self, number: signal.Signals) -> None:
        # No logging here: the signal may have interrupted code that holds the lock of the log.
        if self.reason is not None and self.reload is None:
            os._exit(128 + number)
        self.request(number.name)

    def is_hangup(self) -> bool:
        """Return whether the process had a terminal, which is closed now."""
        return self._had_terminal and not has_terminal()

    def _on_hangup(self, reload: Callable[[], None]) -> None:
        if not self.is_hangup():
            reload()
        elif self.reason is None or self.reload is not None:
            self.request(signal.SIGHUP.name)

    def _give_up(self) -> None:
        LOG.error(
            "not drained after %g s: %d messages are left unacknowledged, and the broker "
            "redelivers them: %s",
            *(self._timeout, self._unacknowledged(), self._accounts.messages),
        )
        self._renew()
        logging.shutdown()
        os._exit(EXIT_NOT_DRAINED)
