"""Lets workers wait while their process has nothing to do.

Bytewax wakes each worker every millisecond, which alone takes 2 % of a core, and no step can ask
for a longer sleep. So the `source` step waits inside of its call.

Rule 1: the only worker of a process waits while no message is between two steps: each one is in an
        open group or at the sink. The wait ends when a step is due: a group may be complete, or an
        answer may have come. Steps that keep state note no such time, so they need rule 2.
Rule 2: any other worker waits only while no message is in flight in the process, since a message of
        another worker does not end its wait.
Rule 3: a message that arrives at any consumer of the process ends the wait of all its workers.
Rule 4: no wait is longer than `LONGEST`: then the worker sees a signal, or the end of a pause.
"""

from __future__ import annotations

import threading
import time
from math import inf

from flows.audit.reconcile import Accounts

LONGEST = 0.25
"""Seconds."""
LONGEST_COLLECT = 0.01
"""Seconds. A poll costs as much as 50 messages, so 1000 a second cost little more than none."""


class IdleWait:
    """The wait of all workers of a process that is not part of a cluster.

    In a cluster, values of another process could not end it.
    """

    def __init__(
        self, accounts: Accounts, *, is_sole: bool, collect_seconds: float = LONGEST_COLLECT
    ) -> None:
        """`accounts`: those of the process, which count its messages in flight.

        `is_sole`: the process has one worker, and each of its steps notes when it is due.
        `collect_seconds`: how long the windows let messages collect before they are read.
        """
        self._accounts, self.is_sole = accounts, is_sole
        self.collect_seconds = min(LONGEST_COLLECT, 2 * collect_seconds)
        """How long the only worker lets messages collect before it takes them: twice as long,
        because a poll costs more than a read."""
        self._changed = threading.Condition()
        self._due: dict[object, float] = {}
        self.calls = 0
        """How often `wake` was called."""

    def wake(self) -> None:
        """End all waits; from any thread, but not from a signal handler."""
        with self._changed:
            self.calls += 1
            self._changed.notify_all()

    def note_due(self, step: object, seconds: float | None) -> None:
        """Note in how many seconds a step has something to do; `None`: not by itself."""
        if seconds is None:
            self._due.pop(step, None)
        else:
            self._due[step] = time.monotonic() + seconds

    def wait(self, seen: int, longest: float = LONGEST, collect_until: float = 0.0) -> bool:
        """Wait while the process has nothing to do; return `False` at once if it has.

        `seen`: `calls` before the last look. `longest`: seconds between two looks at one consumer;
        a worker waits for its consumers in turn. `collect_until`: until then, by the monotonic
        clock, no arrival ends the wait, so that more messages are taken together.
        """
        if not self._is_at_rest():
            return False
        now = time.monotonic()
        until = now + longest / max(1, len(self._accounts.consumers))
        if self.is_sole:
            until = min(until, min(self._due.values(), default=inf))  # Rule 1
            if (pause := min(until, collect_until) - now) > 0:
                time.sleep(pause)
                now = time.monotonic()
        with self._changed:
            if self.calls == seen and until > now:
                self._changed.wait(until - now)
        return True

    def _is_at_rest(self) -> bool:
        accounts = self._accounts
        if self.is_sole:
            return accounts.is_at_rest
        return not (accounts.messages.waiting or accounts.groups.open or accounts.sink.open)
