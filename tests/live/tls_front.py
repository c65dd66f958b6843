"""A TLS server on loopback that passes all bytes on to a server without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tls_front(
    target: tuple[str, int], certificate: Path, key: Path, clients: Path | None = None
) -> Iterator[int]:
    """Return its port; `clients`: the CA of client certificates, which are then required."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = (listener, context, target)
        threading.Thread(target=_accept, args=arguments, daemon=True).start()
        yield listener.getsockname()[1]
        # close() alone does not wake a thread that waits in accept().
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, context, target), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    """Until one side closes, or the client does not accept our certificate."""
    with contextlib.suppress(OSError), client:
        client.settimeout(60)
        shielded = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        with shielded, socket.create_connection(target) as server:
            if not _shook_hands(shielded):
                return
            pump = threading.Thread(target=_pump, args=(server, shielded), daemon=True)
            pump.start()
            _pump(shielded, server)
            pump.join()


def _shook_hands(client: ssl.SSLSocket) -> bool:
    try:
        client.do_handshake()
    except ssl.SSLError:
        # Closing with unread bytes resets the connection, and the reason is lost.
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
        return False
    return True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
