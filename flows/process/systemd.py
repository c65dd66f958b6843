"""Tells systemd, for `Type=notify`, how the process is; elsewhere it does nothing.

See sd_notify(3): each message is a datagram to the socket that `NOTIFY_SOCKET` names.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

LOG = logging.getLogger("hopper")

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"
RELOADING = "RELOADING=1"


class Notifier:
    """What this process tells systemd."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        # A name that begins with @ is of Linux's abstract namespace.
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._sent: set[str] = set()

    def tell(self, *, live: bool, ready: bool, stopping: bool, reloading: bool = False) -> None:
        """Send `READY=1`, `RELOADING=1` and `STOPPING=1` once, `WATCHDOG=1` each time if `live`.

        So systemd restarts a process with `WatchdogSec` that is not live, or that hangs as a whole.
        It does not hear of a drain that ends before the next call.
        """
        state = RELOADING if reloading else STOPPING if stopping else READY if ready else None
        if state is not None and state not in self._sent:
            self._sent.add(state)
            self._send(
                state if state != RELOADING else f"{state}\nMONOTONIC_USEC={_microseconds()}"
            )
        if live:
            self._send(WATCHDOG)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            LOG.warning("cannot tell systemd %s, and will not try again: %s", message, error)
            self._address = ""


def _microseconds() -> int:
    """Return the time of the request, which `Type=notify-reload` demands."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
