"""What a consumer has to tell, on its way from the I/O thread to the dataflow's; and the way back.

No lock: one thread adds, the other takes, and `prefetch` bounds what can be in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pika.adapters.select_connection import IOLoop

from connectors.message import Arrived, Lost, Opened

SETTLE_AFTER = 0.005
"""Seconds in which outcomes gather before they are acknowledged together: a wake-up of the thread
costs 2.5 µs, and RabbitMQ takes a run of acknowledgements three times as fast as single ones."""


class Wake:
    """Calls a function on the I/O thread, once for everything that asks for it meanwhile."""

    def __init__(self, loop: IOLoop, call: Callable[[], None]) -> None:
        self._loop, self._call = loop, call
        self._asked = False

    def soon(self) -> None:
        """Call it within `SETTLE_AFTER`; from any thread."""
        if not self._asked:
            self._asked = True
            self._loop.add_callback_threadsafe(
                lambda: self._loop.call_later(SETTLE_AFTER, self._run)
            )

    def _run(self) -> None:
        self._asked = False  # first: who asks from now on is called again
        self._call()


class Events:
    """A queue whose head is taken whole."""

    def __init__(self) -> None:
        self._ready: deque[Opened | Arrived | Lost] = deque()

    def __len__(self) -> int:
        """Events that have not been taken."""
        return len(self._ready)

    def add(self, event: Opened | Arrived | Lost) -> None:
        """From the I/O thread."""
        self._ready.append(event)

    def take(self) -> list[Opened | Arrived | Lost]:
        """Hand over what is there, in order; what arrived in a row becomes one `Arrived`."""
        ready = self._ready
        events: list[Opened | Arrived | Lost] = []
        while ready:
            event, last = ready.popleft(), events[-1] if events else None
            if isinstance(event, Lost):
                # What the lost connection delivered will come again: let none of it into a window.
                events = [e for e in events if isinstance(e, Lost) or e.origin != event.origin]
            if isinstance(event, Arrived) and isinstance(last, Arrived):
                last.messages.extend(event.messages)  # the same origin: `Lost` stands between two
            else:
                events.append(event)
        return events
