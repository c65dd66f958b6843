"""A TCP forwarder on loopback, which breaks the connection of two programs for a test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self


class Forwarder:
    """Listens on its own port and passes all bytes on; `cut` breaks the connections."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._refusing = False
        self._delay = 0.0
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # close() alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> int:
        """Break all connections in both directions; new ones are accepted. Return their number."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.break_()
        return len(pairs)

    def swallow(self) -> int:
        """Discard all bytes of the connections, and their ends; new ones work.

        This is like a pulled cable, or a router that forgets them: neither side notices it. Return
        the number of connections that still passed bytes on.
        """
        with self._lock:
            open_pairs = [pair for pair in self._pairs if not pair.swallowing]
            for pair in open_pairs:
                pair.swallowing = True
            return len(open_pairs)

    def slow(self, delay: float) -> None:
        """Wait that many seconds before each piece of at most 64 KiB is passed on."""
        self._delay = delay

    def refuse(self, refusing: bool) -> None:
        """Close new connections at once, or no longer."""
        self._refusing = refusing

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            pair = _Pair(near, far)
            with self._lock:
                self._pairs.append(pair)
            for source, sink in ((near, far), (far, near)):
                arguments = (pair, source, sink)
                threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._delay:
                    time.sleep(self._delay)
                if not pair.swallowing:
                    sink.sendall(data)
        if pair.swallowing:
            return
        pair.shut_down()
        # The second thread of a pair closes it.
        if not self._forget(pair):
            pair.break_()

    def _forget(self, pair: _Pair) -> bool:
        """Stop counting the pair; return whether it was counted, so an end may still be read."""
        with self._lock:
            known = pair in self._pairs
            if known:
                self._pairs.remove(pair)
        return known


class _Pair:
    """The two sockets of a forwarded connection."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._sides = near, far
        self.swallowing = False

    def shut_down(self) -> None:
        for side in self._sides:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def break_(self) -> None:
        self.shut_down()
        for side in self._sides:
            side.close()
