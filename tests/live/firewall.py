"""What may stand before Elasticsearch: it refuses requests with a certain text in them."""

from __future__ import annotations

import socket
import struct
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

import urllib3

from tests.live.http_front import HttpFront


class Page(NamedTuple):
    """How it answers; status 0: not at all, it resets the connection."""

    status: int
    content_type: str = "text/html"
    body: bytes = b"<html><title>Forbidden</title><h1>Request blocked</h1></html>"


RESET = Page(0)


class Firewall(HttpFront):
    """Passes on what it does not refuse, and counts both."""

    def __init__(self, url: str, text: bytes, page: Page) -> None:
        """Refuse each request to `url` that has the text in its body."""
        self.page, self.text = page, text
        self.refused = self.passed = 0
        firewall, target, pool = self, url.rstrip("/"), urllib3.PoolManager(maxsize=16)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                if firewall.text in body:
                    firewall.refused += 1
                    self._refuse(firewall.page)
                    return
                firewall.passed += 1
                names = ("content-type", "accept", "authorization")
                headers = {name: self.headers[name] for name in names if self.headers[name]}
                answer = pool.request(
                    self.command, target + self.path, body=body or None, headers=headers
                )
                self._say(answer.status, answer.headers.get("content-type", ""), answer.data)

            def do_GET(self) -> None:
                self.do_POST()

            def do_HEAD(self) -> None:
                self.do_POST()

            def _refuse(self, page: Page) -> None:
                if page.status:
                    self._say(*page)
                    return
                self.close_connection = True
                # Closed with this, the other side gets a reset.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()

            def _say(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        super().__init__(Handler)
