"""Watches over a process that waits, at its start, for the other processes of its cluster.

Bytewax waits for them for as long as it takes, and is deaf meanwhile: Python runs the handlers of
signals in the main thread alone, which is with Bytewax. So whoever started the process would not
know what it waits for, and could end it by force only. Nothing is consumed yet, nothing is lost.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading

from flows.stop import Stop

LOG = logging.getLogger("hopper")

EVERY = 10.0
"""Seconds between two lines, and before the first: processes that are started together meet
sooner."""


class Gathering:
    """Of the processes at these addresses, until the dataflow of `stop` has begun."""

    def __init__(self, addresses: str, stop: Stop) -> None:
        self._addresses, self._stop = addresses, stop
        # Python writes the number of each signal there at once, whatever the main thread does.
        # Both ends stay open for as long as the process lives: it never stops writing.
        self._signals, self._written = socket.socketpair()

    def start(self) -> None:
        """Begin to watch; from the main thread only."""
        self._written.setblocking(False)
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="gathering", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.begun:
            readable, _, _ = select.select([self._signals], [], [], EVERY)
            if self._stop.begun:
                return
            if not readable:
                LOG.warning("waiting for the other processes of the cluster: %s", self._addresses)
            elif (number := self._signals.recv(1)[0]) in (signal.SIGTERM, signal.SIGINT):
                LOG.info("%s, before all processes were there", signal.Signals(number).name)
                logging.shutdown()
                os._exit(128 + number)
