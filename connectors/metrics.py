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
REJECTED = Account(
    "hopper_rejected",
    "Messages that were rejected, whether they are parked by now or not.",
)
PARKED = Account("hopper_parked", "Rejected messages that are safely parked.")
DISCARDED = Account(
    "hopper_discarded",
    "Rejected messages left to the dead-letter exchange of the queue: the file has no "
    "`dead_letter`.",
)
REQUEUED = Account(
    "hopper_requeued",
    "Messages in flight when their connection was lost or the job stopped: the broker redelivers "
    "them.",
)
DROPPED = Account(
    "hopper_dropped",
    "Messages acknowledged without being stored: `drop` in the file, or a command.",
)
UNACKNOWLEDGED = Gauge(
    "hopper_unacknowledged",
    "Messages in flight: in open groups, being written or being parked.",
)
PREFETCH = Gauge(
    "hopper_prefetch",
    "The largest number of messages that the consumers of this process may hold in flight.",
)
BLOCKED = Gauge(
    "hopper_blocked_consumers",
    "Consumers whose prefetch has been full for five seconds, by what holds most of their "
    "messages: `open_groups`, `sink` or `dead_letter`.",
    ["held_by"],
)
STALE = Account(
    "hopper_stale_outcomes",
    "Outcomes that came after their connection was lost: the broker redelivers those messages.",
)
CONNECTED = Gauge(
    "hopper_broker_connected",
    "1 if the consumer is connected to the broker and consumes, else 0.",
    ["consumer"],
)
CONNECTIONS = Counter(
    "hopper_connections",
    "Connections that consumers have opened to the broker.",
)
OPEN_GROUPS = Gauge(
    "hopper_open_groups",
    "Open groups of this process.",
)
OPEN_MEMBERS = Gauge(
    "hopper_open_members",
    "Members of the open groups of this process.",
)
SINK_DOCUMENTS = Gauge(
    "hopper_sink_documents",
    "Documents that this process has submitted to the sink and that have no answer yet.",
)
SINK_ANSWERING = Gauge(
    "hopper_sink_answering",
    "1 if the sink answers, even with a refusal, else 0.",
)
GROUPS = Counter(
    "hopper_groups", "Completed groups, by the rule that completed them.", ["completed_by"]
)
GROUP_SIZE = Histogram(
    "hopper_group_size", "Messages in a completed group.", buckets=[1, 10, 100, 500, 1000, 5000]
)
LATE = Counter(
    "hopper_late",
    "Late messages, by what became of them. Of a new group, only the message that opened it "
    "counts.",
    ["became"],
)
AHEAD = Account(
    "hopper_ahead",
    "Messages with an event time further in the future than `ahead`: they do not move the "
    "watermark.",
)
DEDUPLICATED = Counter(
    "hopper_deduplicated",
    "Redelivered messages that were recognised: each has the outcome of its first delivery and "
    "counts once.",
)
PARTS = Counter(
    "hopper_window_parts",
    "Summaries written as parts, since another process has written the document of the window.",
)
SKIPPED = Account(
    "hopper_skipped_values",
    "Values that functions of `reduce` skipped because they have the wrong type.",
)
BULK_DOCUMENTS = Histogram(
    "hopper_bulk_documents", "Documents in a bulk request.", buckets=[1, 10, 100, 500, 1000, 5000]
)
BULK_BYTES = Histogram(
    "hopper_bulk_bytes", "Bytes of a bulk request.", buckets=[1e3, 1e4, 1e5, 1e6, 1e7]
)
BULK_SECONDS = Histogram(
    "hopper_bulk_seconds",
    "Seconds from sending a bulk request to its response.",
)
RETRIES = Counter(
    "hopper_retries",
    "Documents sent again, by the status of the last response; `none`: there was no response.",
    ["status"],
)
REFUSED = Counter("hopper_refused", "Documents that the sink has refused, by status.", ["status"])
FAILURE_STORE = Counter(
    "hopper_failure_store",
    "Documents that the failure store of their data stream holds; their messages count as stored.",
)


class BulkMetrics:
    """Counts bulk requests: an observer of `connectors.elasticsearch.indexer`."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """A request has ended."""
        BULK_DOCUMENTS.observe(documents)
        BULK_BYTES.observe(size_bytes)
        BULK_SECONDS.observe(seconds)

    def retried(self, documents: int, status: int | None) -> None:
        """Documents will be sent again; `None`: there was no answer."""
        RETRIES.labels(status or "none").inc(documents)

    def rejected(self, documents: int, status: int | None) -> None:
        """Documents will never be stored; `None`: there was no answer about them."""
        REFUSED.labels(status or "none").inc(documents)

    def in_failure_store(self, documents: int) -> None:
        """Documents are stored in the failure store of their data stream, which they do not fit."""
        FAILURE_STORE.inc(documents)


def summary() -> str:
    """What this process has done, in one line, so that it can be told where all messages are."""
    always = {"received": RECEIVED, "stored": STORED, "rejected": REJECTED, "parked": PARKED}
    rare = {"discarded": DISCARDED, "dropped": DROPPED, "requeued": REQUEUED}
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
