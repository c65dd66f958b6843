"""An HTTP server for the tests of clients of Elasticsearch."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpNode:
    """An HTTP server that gives prepared answers, and records requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.headers = {"content-type": "application/json"}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        node = self

        class NodeHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this the body waits 40 ms each time until the client acknowledges the headers.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                node.requests.append((self.command, self.path, headers, body))
                status, answer = node.answers.pop(0) if node.answers else (200, b"{}")
                self.send_response(status)
                for name, value in node.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), NodeHandler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@contextmanager
def a_node() -> Iterator[HttpNode]:
    """Start a server, which stops at the end of the block."""
    node = HttpNode()
    yield node
    node.server.shutdown()
    node.server.server_close()


def no_server() -> str:
    """A URL where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"
