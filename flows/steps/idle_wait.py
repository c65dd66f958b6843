"""Lets workers wait while their process has nothing to do.

Bytewax wakes each worker every millisecond, which alone takes 2 % of a core, and no step can ask
for a longer sleep. So the `source` step waits inside of its call.

Rule 1: a worker waits only while no message is in flight in its process: then no group is open, no
        timer is due, and no answer is outstanding.
Rule 2: a message that arrives at any consumer of the process ends the wait of all its workers.
Rule 3: no wait is longer than `LONGEST`: then the worker sees a signal, or the end of a pause.
"""

from __future__ import annotations

import threading

from flows.audit.reconcile import Accounts

LONGEST = 0.25
"""Seconds."""


class IdleWait:
    """The wait of all workers of a process that is not part of a cluster.

    In a cluster, values of another process could not end it.
    """

    def __init__(self, accounts: Accounts) -> None:
        """`accounts`: those of the process, which count its messages in flight."""
        self._accounts = accounts
        self._changed = threading.Condition()
        self.calls = 0
        """How often `wake` was called."""

    def wake(self) -> None:
        """End all waits; from any thread, but not from a signal handler."""
        with self._changed:
            self.calls += 1
            self._changed.notify_all()

    def wait(self, seen: int) -> None:
        """Wait while the process has nothing to do; `seen`: `calls` before the last look."""
        if self._is_busy():  # Rule 1
            return
        with self._changed:
            if self.calls == seen:
                self._changed.wait(LONGEST)

    def _is_busy(self) -> bool:
        accounts = self._accounts
        return bool(accounts.messages.waiting or accounts.groups.open or accounts.sink.open)
