"""Serves what a process reports, on one port: its metrics, and pages as JSON.

A request that names a foreign host is refused: else a page on the Internet could read the answers
through the browser of a person who can reach this port (DNS rebinding).
"""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from prometheus_client import make_wsgi_app, start_http_server

from connectors.errors import Unavailable

LOG = logging.getLogger("hopper")

PORTS = 100
"""The number of ports that `serve` tries: enough for all processes of a cluster on one host."""

METRICS = "/metrics"
"""The path of the metrics."""

Page = Callable[[], tuple[bool, object]]
"""Returns whether all is well, and what to say of it, as JSON."""

_Start = Callable[..., object]


def serve(
    host: str, port: int, pages: Mapping[str, Page], allowed_hosts: Collection[str] = ()
) -> str:
    """Serve at the first free port from `port` on, since each process has its own; return the URL.

    `pages`: served beside `/metrics`, by their paths: with 200 where all is well, else with 503.
    `allowed_hosts`: the names that requests may ask for, beside those of this machine.

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
            server.set_app(_application(pages, names))
            LOG.info("metrics: http://%s:%d%s", host, candidate, METRICS)
            return f"http://{host}:{candidate}"
    raise Unavailable(f"metrics: no port is free on {host} from {port} to {port + PORTS - 1}")


def is_own_host(asked: str, names: Collection[str]) -> bool:
    """Return whether a `Host` header names this machine.

    An address does, since only names can be made to point here. Pure.
    """
    host = asked.strip().lower()
    host = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    host = host.removesuffix(".")
    if host in ("", "localhost") or host in {name.lower() for name in names}:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _application(pages: Mapping[str, Page], names: Collection[str]) -> Any:
    """Make a WSGI application: the pages, Prometheus at `/metrics`, and nothing elsewhere."""
    prometheus = make_wsgi_app()

    def answer(environment: dict[str, Any], start: _Start) -> Iterable[bytes]:
        asked = environment.get("HTTP_HOST", "")
        if not is_own_host(asked, names):
            return _text(start, "403 Forbidden", f"{asked!r} is not among metrics.allowed_hosts")
        path = environment["PATH_INFO"]
        if path == METRICS:
            answered: Iterable[bytes] = prometheus(environment, start)
            return answered
        page = pages.get(path)
        if page is None:
            there = ", ".join([METRICS, *pages])
            return _text(start, "404 Not Found", f"not found; there is {there}")
        well, content = page()
        start(
            "200 OK" if well else "503 Service Unavailable",
            [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
        )
        return [json.dumps(content, indent=2).encode() + b"\n"]

    return answer


def _text(start: _Start, status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
