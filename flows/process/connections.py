"""Reads the TCP connections of this process, and addresses in Bytewax's format, `host:port`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple


class Connection(NamedTuple):
    """One established TCP connection of this process."""

    local: int
    """The port of this process."""
    host: str
    """IP address of the peer."""
    remote: int
    """Port of the peer."""


def host_of(address: str) -> str:
    """Return the host of an address; of IPv6 without brackets."""
    return address.rpartition(":")[0].strip("[]")


def port_of(address: str) -> int:
    """Return the port of an address."""
    return int(address.rpartition(":")[2])


def resolve(host: str) -> Collection[str]:
    """Return the IP addresses of a host; none while its name does not resolve."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return ()


def established() -> Iterator[Connection]:
    """Read the connections of this process from /proc; without /proc there are none."""
    own = {_link(entry) for entry in Path("/proc/self/fd").glob("*")}
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        for line in _lines(Path(table))[1:]:
            _, local, remote, state, *rest = line.split()
            if state == _ESTABLISHED and f"socket:[{rest[5]}]" in own:
                host, _, port = remote.partition(":")
                yield Connection(int(local.rpartition(":")[2], 16), _ip(host), int(port, 16))


_ESTABLISHED = "01"


def _ip(text: str) -> str:
    """Parse an address of the kernel: words of four bytes, each in the byte order of the host."""
    words = [bytes.fromhex(text[at : at + 8]) for at in range(0, len(text), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:  # the file was closed meanwhile
        return ""
