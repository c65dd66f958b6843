"""Opens the port of a process: what it serves, by path."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flows.audit.health import Health
from flows.job import Job
from flows.process.cluster_links import LOOPBACK, cluster_links
from flows.process.events import Snapshots
from flows.process.server import StaticFile, serve
from flows.process.status import Status
from flows.process.stop import ProcessStop
from flows.process.tap_stream import tap_stream
from flows.spec import Metrics, Pipeline

_PAGE = Path(__file__).parent / "page"
FILES = {
    "/": StaticFile(_PAGE / "index.html", "text/html"),
    "/page.css": StaticFile(_PAGE / "page.css", "text/css"),
    **{
        f"/{name}": StaticFile(_PAGE / name, "text/javascript")
        for name in ("page.js", "ring.js", "sparklines.js", "words.js")
    },
}
"""The page, by path."""


def open_port(
    spec: Pipeline,
    port: Metrics,
    job: Job,
    health: Health,
    stop: ProcessStop,
    cluster: tuple[Sequence[str], int],
) -> str:
    """Serve until the process ends; return the URL.

    `cluster`: the addresses of its processes, and the position of this one among them.

    Raises:
        Unavailable: see `serve`.
    """
    addresses, index = cluster
    links = cluster_links(addresses, index, port.port, reachable=port.host not in LOOPBACK)
    process = f"{socket.gethostname()}, process id {os.getpid()}"
    snapshots = Snapshots(Status(job, health, spec, process, links), job.oldest_groups)
    return serve(
        port.host,
        port.port,
        {
            "/livez": health.live,
            "/readyz": health.ready,
            "/health": health.health,
            "/status": snapshots.page,
        },
        {"/pause": stop.pause, "/resume": stop.resume},
        files=FILES,
        streams={"/events": lambda _query: snapshots.stream()},
        content_streams={"/tap": partial(tap_stream, job.taps)},
        allowed_hosts=port.allowed_hosts,
        token=port.token.get_secret_value() if port.token is not None else None,
    )
