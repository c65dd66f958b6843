"""Finds the running processes of a job by their ports, and talks to them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any

import msgspec

from connectors.errors import Unavailable
from flows.spec import PORTS, Pipeline

TOKEN = ("metrics", "token")
"""Place in the file of the token that a process may ask for."""
SECONDS = 2.0
"""How long a process may take to answer."""
MAX_SILENT_SECONDS = 5.0
"""How long a stream may be silent: a process sends something each second."""


class Process(msgspec.Struct):
    """A process that answers."""

    url: str
    health: dict[str, Any]
    """What it answers at `/health`."""


def processes(pipeline: Pipeline, urls: Sequence[str] = ()) -> list[Process]:
    """Return the processes of a job: those at `urls`, else those on this machine.

    Raises:
        Unavailable: there is none, or one of `urls` does not answer or belongs to another job.
    """
    if urls:
        return [_at(url.rstrip("/"), pipeline.name) for url in urls]
    if pipeline.metrics is None:
        raise Unavailable(f"{pipeline.name} has no port: add metrics: {{port: 9100}} to its file")
    host = _reachable(pipeline.metrics.host)
    first = pipeline.metrics.port
    found = []
    for port in range(first, first + PORTS):
        health = _health(f"http://{host}:{port}")
        if health is not None and health.get("job") == pipeline.name:
            found.append(Process(f"http://{host}:{port}", health))
    if not found:
        raise Unavailable(
            f"no process of {pipeline.name} answers on {host}, ports {first} to "
            f"{first + PORTS - 1}: is it running here? --url names one elsewhere"
        )
    return found


def command(process: Process, path: str, token: str | None) -> None:
    """Let a process carry out a command.

    Raises:
        Unavailable: it refuses, or does not answer.
    """
    with _open(process.url + path, token, data=b""):
        return


def events(url: str, token: str | None = None) -> Iterator[bytes]:
    """Yield the data of server-sent events, and wait between them, until the process ends them.

    Raises:
        Unavailable: it refuses, or does not answer any more.
    """
    with _open(url, token, seconds=MAX_SILENT_SECONDS) as answer:
        for line in answer:
            if line.startswith(_DATA):
                yield line.removeprefix(_DATA)


_DATA = b"data: "


@contextmanager
def _open(
    url: str, token: str | None, *, data: bytes | None = None, seconds: float = SECONDS
) -> Iterator[HTTPResponse]:
    """Send a request; errors while the answer is read are those of `Unavailable` too."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, data=data, headers=headers)
    place = f"{request.type}://{request.host}"
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        with error:
            reason = error.read().decode(errors="replace").strip()
        raise Unavailable(f"{place} refuses: {reason}") from None
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        known = cause.strerror if isinstance(cause, OSError) else None
        raise Unavailable(f"{place} does not answer: {known or cause}") from None


def _at(url: str, job: str) -> Process:
    health = _health(url)
    if health is None or "job" not in health:
        raise Unavailable(f"{url} does not answer as a process of {job} does")
    if health["job"] != job:
        raise Unavailable(f"{url} is a process of {health['job']!r}, not of {job}")
    return Process(url, health)


def _health(url: str) -> dict[str, Any] | None:
    """Return what `/health` says; `None`: no process of Hopper answers there."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=SECONDS) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:  # 503: it is not healthy, and says why
        with error:
            body = error.read()
    except (OSError, ValueError, HTTPException):  # also a server that does not speak HTTP
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reachable(host: str) -> str:
    """Return an address at which a process that listens on `host` answers this machine."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
