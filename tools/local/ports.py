"""Free ports on loopback."""

from __future__ import annotations

import random
import socket
from itertools import islice

PORTS = range(15000, 32768)
"""Above the ports of most servers, and below those that Linux gives to outgoing connections: a
client that repeatedly connects to a stopped server could get the port of that server as its own.
Then the client is connected to itself, and the server cannot start again."""


# Of the system: the tests seed `random` alike in each process, so all would choose the same ports.
_RANDOM = random.SystemRandom()


def free_ports(number: int) -> list[int]:
    """So many different free ports."""
    return list(islice(filter(is_free, _RANDOM.sample(PORTS, 1000)), number))


def is_free(port: int) -> bool:
    """Whether no program listens on that port of loopback."""
    with socket.socket() as probe:
        # Without this, connections that a server has just closed would count as the server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
