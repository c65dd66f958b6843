"""Passes a consumer's events from the I/O thread to the dataflow's, and wakes the I/O thread.

No lock: one thread adds, the other takes, and the prefetch bounds the number of messages between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pika.adapters.select_connection import IOLoop

from connectors.connector import ConsumerEvent
from connectors.message import Arrived, Lost

SETTLE_AFTER = 0.005
"""Seconds for which outcomes collect before they are acknowledged together: waking the thread costs
2.5 µs, and RabbitMQ handles a run of acknowledgements three times as fast as single ones."""


class Wake:
    """Calls a function on the I/O thread, once for all requests within `SETTLE_AFTER`."""

    def __init__(self, loop: IOLoop, call: Callable[[], None]) -> None:
        self._loop, self._call = loop, call
        self._scheduled = False

    def soon(self) -> None:
        """Call the function after `SETTLE_AFTER`; from any thread."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.add_callback_threadsafe(
                lambda: self._loop.call_later(SETTLE_AFTER, self._run)
            )

    def _run(self) -> None:
        self._scheduled = False  # before the call: a request during it needs another one
        self._call()


class Events:
    """The events of a consumer, in order."""

    def __init__(self) -> None:
        self._ready: deque[ConsumerEvent] = deque()
        self._wake: Callable[[], object] = lambda: None
        self.ended = False
        """No event follows."""

    def __len__(self) -> int:
        """Return the number of events that have not been taken."""
        return len(self._ready)

    def wake_by(self, wake: Callable[[], object]) -> None:
        """Call `wake` after each event from now on, on the I/O thread."""
        self._wake = wake

    def add(self, event: ConsumerEvent) -> None:
        """Add an event; from the I/O thread."""
        self._ready.append(event)
        self._wake()

    def end(self) -> None:
        """Note that no event follows; from the I/O thread."""
        self.ended = True

    def take(self) -> list[ConsumerEvent]:
        """Return all events and forget them; consecutive `Arrived` become one."""
        ready = self._ready
        events: list[ConsumerEvent] = []
        while ready:
            event, last = ready.popleft(), events[-1] if events else None
            if isinstance(event, Lost):
                # The broker redelivers the messages of the lost connection: hand none of them over.
                events = [e for e in events if isinstance(e, Lost) or e.origin != event.origin]
            if isinstance(event, Arrived) and isinstance(last, Arrived):
                last.messages.extend(event.messages)  # of one origin: `Lost` is between two
            else:
                events.append(event)
        return events
