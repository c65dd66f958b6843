"""Finds the ports of the processes of a cluster, for links between their pages.

Pure. Each process takes the first free port from `metrics.port` on, so the processes of a host have
the ports from there on, if no other program took one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ClusterLink(NamedTuple):
    """Where a process of the cluster serves its page."""

    host: str
    """Empty: the host of this process."""
    port: int


def cluster_links(
    addresses: Sequence[str], index: int, first_port: int, *, reachable: bool
) -> list[ClusterLink]:
    """Return where the processes of a cluster serve their pages, those of this host first.

    `addresses`: of all processes, as Bytewax has them; `index`: position of this process among
    them. `first_port`: `metrics.port`. `reachable`: other machines reach that port; if not, their
    processes are left out.
    """
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses]
    found = []
    for host, processes in sorted(Counter(hosts).items(), key=lambda each: each[0] != hosts[index]):
        is_own = host == hosts[index]
        if is_own or (reachable and host not in LOOPBACK):
            ports = range(first_port, first_port + processes)
            found += [ClusterLink("" if is_own else host, port) for port in ports]
    return found
