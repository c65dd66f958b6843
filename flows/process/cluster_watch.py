"""Ends this process when another process of its cluster has ended.

Bytewax notices that only when it sends something to the other process, twice. It may send nothing:
its sources wait until all processes have ended an epoch, which the other one does not any more. So
without this module the process may hold its messages, and settle none, for as long as it lives.

Rule 1: a process has ended if the connection to it has been closed for `GRACE` seconds. Bytewax
        makes one connection to each process, and never another one.
Rule 2: in a drain all processes end, one after the other; `drain_timeout` limits it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from flows.process import last_words
from flows.process.connections import Connection, established, host_of, port_of, resolve
from flows.process.stop import ProcessStop

EVERY = 1.0
"""Seconds between two looks."""
GRACE = 5.0
"""Seconds in which Bytewax usually ends the process by itself."""


class Peers:
    """The connections to the other processes. Pure."""

    def __init__(self, connections: Collection[Connection]) -> None:
        """`connections`: all of them, while all processes are connected."""
        self._connections = frozenset(connections)
        self._closed_at: float | None = None

    def has_ended(self, connections: Collection[Connection], now: float) -> bool:
        """Return whether one of the processes has ended; `connections`: those of now. Rule 1."""
        if self._connections <= frozenset(connections):
            self._closed_at = None
            return False
        if self._closed_at is None:
            self._closed_at = now
        return now - self._closed_at >= GRACE


def to_peers(
    connections: Collection[Connection],
    addresses: str,
    index: int,
    resolve: Callable[[str], Collection[str]],
) -> list[Connection]:
    """Return those of the connections that go to other processes of the cluster.

    `addresses`: in Bytewax's format; `index`: the position of this process. It has connected to
    those before it, and those after it have connected to its port. `resolve`: see `missing`.
    """
    each = addresses.split(";")
    own = port_of(each[index])
    before = {(ip, port_of(one)) for one in each[:index] for ip in resolve(host_of(one))}
    return [one for one in connections if one.local == own or (one.host, one.remote) in before]


class ClusterWatch:
    """Watches the connections of this process to the others."""

    def __init__(
        self, addresses: str, index: int, stop: ProcessStop, renew: Callable[[], None]
    ) -> None:
        """See `to_peers`; `renew`: see `last_words.install`."""
        self._addresses, self._index = addresses, index
        self._stop, self._renew = stop, renew

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="cluster", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.begun:
            time.sleep(EVERY)
        peers = Peers(to_peers([*established()], self._addresses, self._index, resolve))
        while self._stop.reason is None:  # Rule 2
            if peers.has_ended([*established()], time.monotonic()):
                last_words.end(self._renew)
            time.sleep(EVERY)
