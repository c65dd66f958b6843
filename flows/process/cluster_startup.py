"""Logs and ends a process that waits, at its start, for the other processes of its cluster.

Bytewax waits without a limit, and blocks the main thread, where Python runs signal handlers. So
without this module the user would not learn which process is missing, and could end the process
only by SIGKILL. No message is consumed before the dataflow begins, so ending it loses nothing.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from itertools import groupby

from flows.process.connections import Connection, established, host_of, port_of, resolve
from flows.process.stop import DRAINING, ProcessStop

LOG = logging.getLogger("hopper")

EVERY = 10.0
"""Seconds between two lines, and before the first: processes that start together connect sooner."""


class ClusterStartup:
    """Waits for the processes of a cluster, until the dataflow of `stop` has begun."""

    def __init__(
        self, addresses: str, index: int, stop: ProcessStop, reload: Callable[[], None]
    ) -> None:
        """`addresses`: in Bytewax's format; `index`: position of this process among them.

        `reload`: requests a reload, which waits until the dataflow has begun.
        """
        self._reload = reload
        self._addresses, self._index, self._stop = addresses.split(";"), index, stop
        # Python writes the number of each signal there at once, also while the main thread is busy.
        # Both ends stay open for as long as the process lives, because Python never stops writing.
        self._signals, self._written = socket.socketpair()

    def start(self) -> None:
        """Start the thread; call it from the main thread."""
        self._written.setblocking(False)
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="gathering", daemon=True).start()

    def missing(self) -> list[str]:
        """Return the addresses of processes that are not connected yet; from any thread."""
        if self._stop.begun:
            return []
        return missing(self._addresses, self._index, [*established()], resolve)

    def _run(self) -> None:
        while not self._stop.begun:
            readable, _, _ = select.select([self._signals], [], [], EVERY)
            if self._stop.begun:
                return
            if not readable:
                absent = ", ".join(self.missing()) or "all are connected"
                LOG.warning("waiting for the other processes of the cluster: %s", absent)
                continue
            number = self._signals.recv(1)[0]
            is_hangup = number == signal.SIGHUP and self._stop.is_hangup()
            if number == signal.SIGHUP and not is_hangup:
                LOG.info("reloads when the whole cluster is connected: SIGHUP")
                self._reload()
            elif number in DRAINING or is_hangup:
                name = signal.Signals(number).name
                LOG.info("stopped by %s before the whole cluster was connected", name)
                logging.shutdown()
                os._exit(128 + number)


def missing(
    addresses: Sequence[str],
    index: int,
    connections: Sequence[Connection],
    resolve: Callable[[str], Collection[str]],
) -> list[str]:
    """Return the addresses of processes that the one at `index` has no connection with yet.

    Bytewax connects each process to those before it, and accepts connections of those after it,
    whose ports are unknown. So of the later processes, this function can only count those of each
    host. `resolve` returns the IP addresses of a host.
    """
    before, behind = addresses[:index], addresses[index + 1 :]
    reached = {(connection.host, connection.remote) for connection in connections}
    found = []
    for address in before:
        host, port = host_of(address), port_of(address)
        if not any((ip, port) in reached for ip in resolve(host)):
            found.append(address)
    own = port_of(addresses[index])
    incoming = [connection.host for connection in connections if connection.local == own]
    if len(incoming) >= len(behind):
        return found
    for host, group in groupby(sorted(behind, key=host_of), host_of):
        there, ips = [*group], resolve(host)
        lacking = len(there) - sum(ip in ips for ip in incoming)
        if lacking == len(there):
            found += there
        elif lacking > 0:
            found.append(f"{lacking} of {' and '.join(there)}")
    return found
