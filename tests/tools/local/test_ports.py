"""Ports for local servers."""

from __future__ import annotations

import socket

from tools.local.ports import PORTS, free_ports, is_free


def test_free_ports_differ_and_are_free() -> None:
    ports = free_ports(3)

    assert len(set(ports)) == 3
    assert all(port in PORTS and is_free(port) for port in ports)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_ports_are_below_those_of_outgoing_connections() -> None:
    """Linux begins these at 32768; a client must never get the port of a stopped server."""
    assert PORTS.stop <= 32768
