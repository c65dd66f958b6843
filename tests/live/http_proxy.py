"""An HTTP proxy before Elasticsearch, on loopback."""

from __future__ import annotations

import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, Self

import urllib3

PASSED_ON = ("content-type", "accept", "authorization")
"""Headers of a request."""


class Page(NamedTuple):
    """An answer of the proxy; status 0: it resets the connection instead."""

    status: int
    content_type: str = "text/html"
    body: bytes = b"<html><title>Forbidden</title><h1>Request blocked</h1></html>"


RESET = Page(0)


class HttpProxy:
    """Passes on each request to `url` within a `with` block, on its own free port."""

    def __init__(self, url: str) -> None:
        proxy, target = self, url.rstrip("/")
        pool = urllib3.PoolManager(maxsize=16, retries=False)

        class ProxyHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this the body waits 40 ms each time until the client acknowledges the headers.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                size = int(self.headers["content-length"] or 0)
                try:
                    body = self.rfile.read(size)
                except ConnectionError:
                    body = b""
                if len(body) < size:  # the client has gone: the request is incomplete
                    self.close_connection = True
                    return
                page = proxy.instead(body)
                if page is None:
                    headers = {name: self.headers[name] for name in PASSED_ON if self.headers[name]}
                    page = self._pass_on(body, headers)
                    if not proxy.answers(self.path, body):
                        page = RESET
                self._answer(page)

            def do_GET(self) -> None:
                self.do_POST()

            def do_HEAD(self) -> None:
                self.do_POST()

            def _pass_on(self, body: bytes, headers: dict[str, str]) -> Page:
                try:
                    answer = pool.request(
                        self.command, target + self.path, body=body or None, headers=headers
                    )
                except urllib3.exceptions.HTTPError:
                    return RESET
                return Page(answer.status, answer.headers.get("content-type", ""), answer.data)

            def _answer(self, page: Page) -> None:
                try:
                    if page.status:
                        self._say(page)
                    else:
                        self._reset()
                except ConnectionError:  # the client has gone
                    self.close_connection = True

            def _reset(self) -> None:
                self.close_connection = True
                # Closing the socket with this option sends a reset.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()

            def _say(self, page: Page) -> None:
                self.send_response(page.status)
                self.send_header("content-type", page.content_type)
                self.send_header("content-length", str(len(page.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(page.body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), ProxyHandler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def instead(self, body: bytes) -> Page | None:
        """The page that answers a request instead of Elasticsearch."""

    def answers(self, path: str, body: bytes) -> bool:
        """Whether the client receives the answer to a request that was passed on."""
        return True

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
