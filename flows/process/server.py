"""Serves one port of a process: metrics, pages as JSON, files, streams of events, and commands.

`access.py` decides which requests are answered.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from socketserver import ThreadingMixIn
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from connectors.errors import Unavailable
from flows.process.access import is_own_host, refusal_of_change, refusal_of_contents
from flows.spec import PORTS

LOG = logging.getLogger("hopper")

METRICS = "/metrics"
"""The path of the metrics."""

Page = Callable[[], tuple[bool, object]]
"""Returns whether all is well, and what to say of it, as JSON."""

Command = Callable[[], None]
"""Carries out what the operator asks for with POST; returns at once."""


class EventStream(Protocol):
    """Events of one reader, in the format of server-sent events."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield events, and wait between them."""

    def close(self) -> None:
        """End the stream."""


Query = Mapping[str, list[str]]
"""The parameters of a request."""

Stream = Callable[[Query], EventStream | None]
"""Returns a new stream; `None`: there are too many. Raises `ValueError` if a parameter is wrong."""


class StaticFile(NamedTuple):
    """A file of the page, which is read for each request."""

    path: Path
    media_type: str


SECURITY = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Headers of files. A browser runs no script but the page's own, and sends nothing elsewhere."""

READER_WAITS = 5.0
"""Seconds that a stream waits for a reader that reads too slowly, before it ends."""
_CONNECTION = "hopper.connection"
"""Where a request has its socket."""

_StartResponse = Callable[..., object]
_Headers = Mapping[str, Any]


def serve(
    host: str,
    port: int,
    pages: Mapping[str, Page],
    commands: Mapping[str, Command] = MappingProxyType({}),
    *,
    files: Mapping[str, StaticFile] = MappingProxyType({}),
    streams: Mapping[str, Stream] = MappingProxyType({}),
    content_streams: Mapping[str, Stream] = MappingProxyType({}),
    allowed_hosts: Collection[str] = (),
    token: str | None = None,
) -> str:
    """Serve at the first free port from `port` on, since each process has its own; return the URL.

    `pages`: served beside `/metrics`, by their paths: with 200 where all is well, else with 503.
    `commands`: carried out by POST, by their paths. `files` and `streams`: served by their paths.
    `content_streams`: streams of what messages contain, only for requests with the token.
    `allowed_hosts`: the names that requests may ask for, beside those of this machine.
    `token`: lets other machines give commands.

    Raises:
        Unavailable: the host is not one of this machine's, or no port is free.
    """
    answers: dict[str, _Answer] = {
        METRICS: make_wsgi_app(),
        **{path: partial(_page, page) for path, page in pages.items()},
        **{path: partial(_file, file) for path, file in files.items()},
        **{path: partial(_events, stream) for path, stream in streams.items()},
        **{path: partial(_contents, stream, token) for path, stream in content_streams.items()},
        **{path: partial(_command, command, token) for path, command in commands.items()},
    }
    application = _Application(answers, {*allowed_hosts, host, socket.gethostname()})
    for candidate in range(port, port + PORTS):
        try:
            _HttpServer(host, candidate, application)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(
                    f"metrics: cannot listen on {host}, port {candidate}: {error.strerror}"
                ) from None
        else:
            LOG.info("metrics: http://%s:%d%s", host, candidate, METRICS)
            return f"http://{host}:{candidate}"
    raise Unavailable(f"metrics: no port is free on {host} from {port} to {port + PORTS - 1}")


class _HttpServer(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, from the first request on."""

    daemon_threads = True

    def __init__(self, host: str, port: int, application: _Application) -> None:
        """Listen; raises `OSError` if the port is not free."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler)
        self.set_app(application)
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()


class _Handler(WSGIRequestHandler):
    """Reads a request; logs none."""

    def get_environ(self) -> dict[str, Any]:
        """Add the socket, for streams."""
        environ: dict[str, Any] = super().get_environ()
        return {**environ, _CONNECTION: self.connection}

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


_Answer = Callable[[_Headers, _StartResponse], Iterable[bytes]]


@cache
def _full_names() -> Collection[str]:
    """Return the full name of this machine, by a DNS lookup: only a request that needs it waits."""
    return {socket.getfqdn()}


class _Application:
    """The WSGI application: for each path what answers there."""

    def __init__(self, answers: Mapping[str, _Answer], names: Collection[str]) -> None:
        self._answers, self._names = answers, names

    def __call__(self, request: _Headers, start: _StartResponse) -> Iterable[bytes]:
        host = request.get("HTTP_HOST", "")
        if not is_own_host(host, self._names) and not is_own_host(host, _full_names()):
            return _text(start, "403 Forbidden", f"{host!r} is not among metrics.allowed_hosts")
        answer = self._answers.get(request["PATH_INFO"])
        if answer is None:
            return _text(start, "404 Not Found", f"not found; there is {', '.join(self._answers)}")
        return answer(request, start)


def _page(page: Page, request: _Headers, start: _StartResponse) -> Iterable[bytes]:
    well, content = page()
    return _json(start, "200 OK" if well else "503 Service Unavailable", content)


def _command(
    command: Command, token: str | None, request: _Headers, start: _StartResponse
) -> Iterable[bytes]:
    if request["REQUEST_METHOD"] != "POST":
        return _text(start, "405 Method Not Allowed", "POST carries out this command")
    refusal = refusal_of_change(
        peer=request["REMOTE_ADDR"],
        host=request.get("HTTP_HOST", ""),
        origin=request.get("HTTP_ORIGIN"),
        authorization=request.get("HTTP_AUTHORIZATION"),
        token=token,
    )
    if refusal is not None:
        return _text(start, "403 Forbidden", refusal)
    command()
    return _json(start, "200 OK", {})


def _file(file: StaticFile, request: _Headers, start: _StartResponse) -> Iterable[bytes]:
    media_type = ("Content-Type", f"{file.media_type}; charset=utf-8")
    start("200 OK", [media_type, ("Cache-Control", "no-cache"), *SECURITY])
    return [file.path.read_bytes()]


def _events(new: Stream, request: _Headers, start: _StartResponse) -> Iterable[bytes]:
    try:
        stream = new(parse_qs(request.get("QUERY_STRING", ""), keep_blank_values=True))
    except ValueError as error:
        return _text(start, "400 Bad Request", str(error))
    if stream is None:
        return _text(start, "503 Service Unavailable", "too many readers; try again later")
    start("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
    return _Events(stream, request[_CONNECTION])


def _contents(
    new: Stream, token: str | None, request: _Headers, start: _StartResponse
) -> Iterable[bytes]:
    refusal = refusal_of_contents(authorization=request.get("HTTP_AUTHORIZATION"), token=token)
    if refusal is not None:
        return _text(start, "403 Forbidden", refusal)
    return _events(new, request, start)


class _Events:
    """Sends events until the reader is gone or too slow; it then ends, and the browser returns."""

    def __init__(self, stream: EventStream, connection: socket.socket) -> None:
        self._stream, self._connection = stream, connection

    def __iter__(self) -> Iterator[bytes]:
        yield b": events follow\n\n"  # with it the server sends the headers
        self._connection.settimeout(READER_WAITS)
        try:
            for event in self._stream:
                self._connection.sendall(event)
        except OSError:  # it is gone, or too slow
            return

    def close(self) -> None:
        self._stream.close()


def _json(start: _StartResponse, status: str, content: object) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(content, indent=2).encode() + b"\n"]


def _text(start: _StartResponse, status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
