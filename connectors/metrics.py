"""Everything that is counted, in one place; each help text is what `docs/operations.md` says of it.

Counting costs about a microsecond a call, so callers count a batch at a time.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client import (
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    start_http_server,
)

from connectors.account_metric import Account
from connectors.errors import Unavailable

LOG = logging.getLogger("hopper")

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter was made is of no use

INFO = Info("hopper", "Name of the job, and version of Hopper.")
RECEIVED = Account("hopper_received", "Messages that the broker has delivered to this process.")
STORED = Account("hopper_stored", "Messages that the sink has stored.")
REJECTED = Account("hopper_rejected", "Messages that were rejected, wherever they are now.")
PARKED = Account("hopper_parked", "Rejected messages that are safely parked.")
DISCARDED = Account(
    "hopper_discarded",
    "Rejected messages left to the queue's own dead lettering, for want of ours.",
)
GIVEN_BACK = Account(
    "hopper_given_back",
    "Messages whose connection was lost, or that a stop has left, before they were stored, dropped "
    "or parked: they are delivered again.",
)
DROPPED = Account(
    "hopper_dropped",
    "Messages acknowledged though nothing was stored: the spec says so, or they were commands.",
)
UNSETTLED = Gauge(
    "hopper_unsettled", "Messages the broker waits to hear about: open, being written or parked."
)
PREFETCH = Gauge(
    "hopper_prefetch",
    "Messages that the consumers of this process may hold: the most unsettled.",
)
BLOCKED = Gauge(
    "hopper_blocked",
    "Consumers that have been full for five seconds, by what holds most of their messages: "
    "`open_groups`, `sink` or `dead_letter`.",
    ["held_by"],
)
STALE = Account(
    "hopper_stale",
    "Outcomes that came after their connection was lost: those messages are delivered again.",
)
CONNECTED = Gauge(
    "hopper_broker_connected",
    "Whether a consumer is connected to the broker, and consumes: 1 or 0.",
    ["consumer"],
)
CONNECTIONS = Counter("hopper_connections", "Connections that consumers have made to the broker.")
OPEN_GROUPS = Gauge("hopper_open_groups", "Groups of this process that are not complete.")
OPEN_MEMBERS = Gauge("hopper_open_members", "Documents in them: what open groups hold.")
WITH_SINK = Gauge(
    "hopper_with_sink",
    "Documents of this process that the sink has to answer for: what the sink holds.",
)
SINK_ANSWERING = Gauge(
    "hopper_sink_answering", "Whether the sink answers, be it with a refusal: 1 or 0."
)
GROUPS = Counter("hopper_groups", "Groups, by the rule that completed them.", ["completed_by"])
GROUP_SIZE = Histogram(
    "hopper_group_size", "Messages in a completed group.", buckets=[1, 10, 100, 500, 1000, 5000]
)
LATE = Counter(
    "hopper_late",
    "Late messages, by what became of them; of a new group, the one that opened it.",
    ["became"],
)
AHEAD = Account(
    "hopper_ahead",
    "Messages whose event time is further in the future than `ahead`: they end no window.",
)
RECOGNISED = Counter(
    "hopper_redelivered_recognised",
    "Messages delivered again that share the outcome of their first copy, and count once.",
)
PARTS = Counter(
    "hopper_window_parts",
    "Summaries written beside the document of their window, which another process has written.",
)
SKIPPED = Account(
    "hopper_skipped_values",
    "Values that `sum`, `avg` and the like passed over, for they are not what these can use.",
)
BULK_DOCUMENTS = Histogram(
    "hopper_bulk_documents", "Documents in a bulk request.", buckets=[1, 10, 100, 500, 1000, 5000]
)
BULK_BYTES = Histogram(
    "hopper_bulk_bytes", "Bytes of a bulk request.", buckets=[1e3, 1e4, 1e5, 1e6, 1e7]
)
BULK_SECONDS = Histogram("hopper_bulk_seconds", "Seconds from a bulk request to its answer.")
AGAIN = Counter(
    "hopper_again",
    "Documents sent once more, by the status that asked for it; none: there was no answer.",
    ["status"],
)
REFUSED = Counter("hopper_refused", "Documents that the sink has rejected, by status.", ["status"])
APART = Counter(
    "hopper_stored_apart",
    "Documents that do not fit their data stream, and are stored in its failure store: not parked.",
)


class BulkMetrics:
    """Counts bulk requests: an observer of `connectors.elasticsearch.indexer`."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """A request has ended."""
        BULK_DOCUMENTS.observe(documents)
        BULK_BYTES.observe(size_bytes)
        BULK_SECONDS.observe(seconds)

    def again(self, documents: int, status: int | None) -> None:
        """Documents will be sent again; `None`: there was no answer."""
        AGAIN.labels(status or "none").inc(documents)

    def rejected(self, documents: int, status: int | None) -> None:
        """Documents will never be stored; `None`: there was no answer about them."""
        REFUSED.labels(status or "none").inc(documents)

    def apart(self, documents: int) -> None:
        """Documents are stored in the failure store of their data stream, which they do not fit."""
        APART.inc(documents)


def summary() -> str:
    """What this process has done, in one line, so that it can be told where all messages are."""
    always = {"received": RECEIVED, "stored": STORED, "rejected": REJECTED, "parked": PARKED}
    rare = {"discarded": DISCARDED, "dropped": DROPPED, "given back": GIVEN_BACK}
    counted = [(account.read(), verb) for verb, account in (always | rare).items()]
    return ", ".join(f"{count} {verb}" for count, verb in counted if count or verb in always)


class Description(NamedTuple):
    """What one metric is, for the documents."""

    name: str
    """As Prometheus shows it."""
    kind: str
    """`counter`, `gauge` or `histogram`."""
    labels: tuple[str, ...]
    help: str


def described() -> Iterator[Description]:
    """Everything that is counted here, in the order of this file."""
    for metric in globals().values():
        if isinstance(metric, Account | Counter | Gauge | Histogram | Info):
            [family] = metric.describe()
            name = family.name + _SUFFIXES.get(family.type, "")
            kind = "gauge" if family.type == "info" else family.type
            labels = (
                ("name", "version") if family.type == "info" else getattr(metric, "_labelnames", ())
            )
            yield Description(name, kind, labels, family.documentation)


_INFO = ("name", "version")
_SUFFIXES = {"counter": "_total", "info": "_info"}


PORTS = 100
"""How many ports `serve` tries: one for each process of a large cluster on one host."""


Page = Callable[[], tuple[bool, object]]
"""Whether all is well, and what to say of it, as JSON."""


def serve(host: str, port: int, pages: Mapping[str, Page] | None = None) -> None:
    """Answer Prometheus at the first free port from `port` on; each process has its own.

    `pages` are served beside `/metrics`, by their paths: with 200 where all is well, else with 503.

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
            server.set_app(_application(server.get_app(), pages or {}))
            LOG.info("metrics: http://%s:%d/metrics", host, candidate)
            return
    raise Unavailable(f"metrics: no port is free on {host} from {port} to {port + PORTS - 1}")


def _application(prometheus: Any, pages: Mapping[str, Page]) -> Any:
    """A WSGI application: the pages, Prometheus at `/metrics`, and nothing elsewhere."""

    def answer(environment: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        path = environment["PATH_INFO"]
        if path == METRICS:
            answered: Iterable[bytes] = prometheus(environment, start)
            return answered
        page = pages.get(path)
        if page is None:
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"not found; there is {', '.join([METRICS, *pages])}\n".encode()]
        well, told = page()
        status = "200 OK" if well else "503 Service Unavailable"
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(told, indent=2).encode() + b"\n"]

    return answer


METRICS = "/metrics"
"""Where Prometheus asks."""
