"""Stops reading a connection's socket, and goes on: the broker keeps what is not read.

It uses names of pika's transport that are not public. Were they renamed, reading would not stop:
then only the prefetch limits what a consumer holds.
"""

from __future__ import annotations

from typing import Any


class SocketReading:
    """Of one connection, which must be open."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        transport = getattr(connection, "_transport", None)
        names = ("_nbio", "_sock", "_on_socket_readable")
        known = all(hasattr(transport, name) for name in names)
        self._transport: Any = transport if known else None
        self.is_paused = False
        """Nothing is read."""

    def pause(self) -> None:
        """Read nothing more; what is written still goes out, heartbeats too."""
        if self._transport is None or self.is_paused or not self._connection.is_open:
            return
        self.is_paused = True
        # Over TLS, pika also calls this to read what is decrypted already.
        self._transport._on_socket_readable = self._ignore
        self._ignore()

    def resume(self) -> None:
        """Go on where reading has stopped."""
        if not self.is_paused:
            return
        self.is_paused = False
        transport = self._transport
        del transport._on_socket_readable  # back to the method of the class
        if transport._nbio is not None:  # else it was closed meanwhile
            transport._nbio.set_reader(transport._sock.fileno(), transport._on_socket_readable)
            transport._nbio.add_callback_threadsafe(transport._on_socket_readable)

    def keep_alive(self) -> None:
        """Let pika not take a connection that is not read for one that is dead; every second."""
        if self.is_paused:
            self._connection.bytes_received += 1  # its heartbeat checker looks at this counter

    def _ignore(self) -> None:
        if self._transport._nbio is not None:
            self._transport._nbio.remove_reader(self._transport._sock.fileno())
