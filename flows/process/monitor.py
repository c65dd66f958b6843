"""Checks the health of this process once a second, logs accounting mismatches, and tells systemd.

`health.py` decides. The monitor has a thread of its own, because a dataflow that hangs cannot check
itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from connectors import metrics
from connectors.connector import Source
from flows.audit.backpressure import HOLDERS, Reminders
from flows.audit.health import Health
from flows.process.log import ACCOUNTS
from flows.process.stop import ProcessStop
from flows.process.systemd import Notifier

LOG = logging.getLogger("hopper")

EVERY = 1.0
"""Seconds between two checks."""
REMIND = 60.0
"""Seconds between two lines about wrong clocks: to set a clock takes longer."""


class Monitor:
    """Monitors one process."""

    def __init__(
        self,
        health: Health,
        source: Source,
        stop: ProcessStop,
        ahead: Callable[[], int] = lambda: 0,
        notifier: Notifier | None = None,
    ) -> None:
        """`ahead`: returns how many messages had an event time too far in the future."""
        self._health, self._source, self._stop = health, source, stop
        self._count_ahead, self._notifier = ahead, notifier or Notifier()
        self._reminders = Reminders()
        self._ahead = 0
        self._reminded_at = float("-inf")

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def check(self, now: float, at: float) -> None:
        """Check once; the times are those of `Health.check`."""
        if refused := self._source.refused_because():
            self._stop.fail(refused)
        for text in self._health.check(now, at):
            ACCOUNTS.error("message accounting mismatch; this is a bug in Hopper: %s", text)
        blocked = self._health.blocked
        for line in self._reminders.lines(blocked, now):
            LOG.warning("%s", line)
        for held_by in HOLDERS:
            count = sum(one.held_by == held_by for one in blocked)
            metrics.BLOCKED.labels(held_by).set(count)
        before, self._ahead = self._ahead, self._count_ahead()
        if self._ahead > before and now >= self._reminded_at + REMIND:
            self._reminded_at = now
            LOG.warning(
                "%d messages so far had an event time further in the future than `ahead`: they do "
                "not move the watermark; check the clocks of their senders",
                self._ahead,
            )
        live, ready = self._health.live()[0], self._health.ready()[0]
        reloading = self._stop.reload is not None
        stopping = self._stop.reason is not None and not reloading
        self._notifier.tell(live=live, ready=ready, stopping=stopping, reloading=reloading)

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            self.check(time.monotonic(), time.time())
