"""Serves one port of a process: its metrics, pages as JSON, and commands of the operator.

`access.py` decides which requests are answered.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from prometheus_client import make_wsgi_app, start_http_server

from connectors.errors import Unavailable
from flows.process.access import is_own_host, refusal_of_change
from flows.spec import PORTS

LOG = logging.getLogger("hopper")

METRICS = "/metrics"
"""The path of the metrics."""

Page = Callable[[], tuple[bool, object]]
"""Returns whether all is well, and what to say of it, as JSON."""

Command = Callable[[], None]
"""Carries out what the operator asks for with POST; returns at once."""

_Start = Callable[..., object]
_Headers = Mapping[str, Any]


def serve(
    host: str,
    port: int,
    pages: Mapping[str, Page],
    commands: Mapping[str, Command] = MappingProxyType({}),
    *,
    allowed_hosts: Collection[str] = (),
    token: str | None = None,
) -> str:
    """Serve at the first free port from `port` on, since each process has its own; return the URL.

    `pages`: served beside `/metrics`, by their paths: with 200 where all is well, else with 503.
    `commands`: carried out by POST, by their paths.
    `allowed_hosts`: the names that requests may ask for, beside those of this machine.
    `token`: lets other machines give commands.

    Raises:
        Unavailable: the host is not one of this machine's, or no port is free.
    """
    for candidate in range(port, port + PORTS):
        try:
            server, _ = start_http_server(candidate, host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(
                    f"metrics: cannot listen on {host}, port {candidate}: {error.strerror}"
                ) from None
        else:
            names = {*allowed_hosts, host, socket.gethostname(), socket.getfqdn()}
            server.set_app(_Application(pages, commands, names, token))
            LOG.info("metrics: http://%s:%d%s", host, candidate, METRICS)
            return f"http://{host}:{candidate}"
    raise Unavailable(f"metrics: no port is free on {host} from {port} to {port + PORTS - 1}")


class _Application:
    """The WSGI application: pages and commands, Prometheus at `/metrics`, and nothing else."""

    def __init__(
        self,
        pages: Mapping[str, Page],
        commands: Mapping[str, Command],
        names: Collection[str],
        token: str | None,
    ) -> None:
        self._pages, self._commands, self._names, self._token = pages, commands, names, token
        self._prometheus = make_wsgi_app()

    def __call__(self, request: _Headers, start: _Start) -> Iterable[bytes]:
        host = request.get("HTTP_HOST", "")
        if not is_own_host(host, self._names):
            return _text(start, "403 Forbidden", f"{host!r} is not among metrics.allowed_hosts")
        path, method = request["PATH_INFO"], request["REQUEST_METHOD"]
        if path in self._commands:
            if method != "POST":
                return _text(start, "405 Method Not Allowed", "POST carries out this command")
            return self._carry_out(self._commands[path], request, start)
        if path == METRICS:
            answered: Iterable[bytes] = self._prometheus(request, start)
            return answered
        if path not in self._pages:
            there = ", ".join([METRICS, *self._pages, *self._commands])
            return _text(start, "404 Not Found", f"not found; there is {there}")
        well, content = self._pages[path]()
        return _json(start, "200 OK" if well else "503 Service Unavailable", content)

    def _carry_out(self, command: Command, request: _Headers, start: _Start) -> Iterable[bytes]:
        refusal = refusal_of_change(
            peer=request["REMOTE_ADDR"],
            host=request.get("HTTP_HOST", ""),
            origin=request.get("HTTP_ORIGIN"),
            authorization=request.get("HTTP_AUTHORIZATION"),
            token=self._token,
        )
        if refusal is not None:
            return _text(start, "403 Forbidden", refusal)
        command()
        return _json(start, "200 OK", {})


def _json(start: _Start, status: str, content: object) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(content, indent=2).encode() + b"\n"]


def _text(start: _Start, status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
