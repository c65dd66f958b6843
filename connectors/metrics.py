"""Declares the metrics of steps and connectors; `docs/operations.md` shows their help texts.

`flows/process/collector.py` shows the metrics of the accounts.

A call takes about a microsecond, so callers count a batch at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from prometheus_client import (
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.metrics_core import Metric

from connectors.reject_kind import MAX_KINDS

disable_created_metrics()  # type: ignore[no-untyped-call]  # the time a counter was made has no use

INFO = Info("hopper", "Name of the job, and version of Hopper.")
BLOCKED = Gauge(
    "hopper_blocked_consumers",
    "Consumers whose prefetch has been full for five seconds, by what holds most of their "
    "messages: `open_groups`, `sink` or `dead_letter`.",
    ["held_by"],
)
RELOADS = Counter(
    "hopper_reloads",
    "Changes of the spec while the job ran: `reloaded`, or `refused` because of problems. A reload "
    "keeps this count, and no other.",
    ["result"],
)
CONNECTIONS = Counter(
    "hopper_connections",
    "Connections that consumers have opened to the broker.",
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
DEDUPLICATED = Counter(
    "hopper_deduplicated",
    "Redelivered messages that were recognised: each has the outcome of its first delivery and "
    "counts once.",
)
DUPLICATES = Counter(
    "hopper_duplicates",
    "Messages that were sent twice, by `aggregate.distinct`: each has the outcome of the first "
    "one.",
)
DISTINCT_FORGOTTEN = Counter(
    "hopper_distinct_forgotten",
    "Distinct values that were forgotten before their time, since there were more than "
    "`aggregate.distinct.max_values`.",
)
IDS_FORGOTTEN = Counter(
    "hopper_state_ids_forgotten",
    "Ids of messages that `state` forgot within 3 minutes of a start or a lost connection, since "
    "there were too many: a message that is redelivered later than that many others counts again.",
)
PARTS = Counter(
    "hopper_window_parts",
    "Summaries written as parts, since another process has written the document of the window.",
)
EARLY = Counter(
    "hopper_early_summaries",
    "Summaries of open windows, by what became of them: `stored`, `rejected`, or `superseded` by a "
    "later one or by another process before they were stored.",
    ["became"],
)
GROUP_SECONDS = Histogram(
    "hopper_group_seconds",
    "Seconds from the first message of a completed group to its last; of an aligned window its "
    "length.",
    buckets=[0.01, 0.1, 1, 10, 60, 600, 3600],
)
AGE = Histogram(
    "hopper_age_seconds",
    "Seconds from publishing to storing, of ten messages a second that have a `timestamp`; the "
    "property counts whole seconds, the header `timestamp_in_ms` milliseconds.",
    buckets=[0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
)
DEAD_LETTERS = Counter(
    "hopper_dead_letters",
    "Messages that are dead letters now, by the kind of their reason: its first word.",
    ["kind"],
)
BULK_DOCUMENTS = Histogram(
    "hopper_bulk_documents", "Documents in a bulk request.", buckets=[1, 10, 100, 500, 1000, 5000]
)
BULK_BYTES = Histogram(
    "hopper_bulk_bytes",
    "Bytes of a bulk request, before compression.",
    buckets=[1e3, 1e4, 1e5, 1e6, 1e7],
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

DECLARED: tuple[Counter | Gauge | Histogram | Info, ...] = (
    INFO,
    BLOCKED,
    RELOADS,
    CONNECTIONS,
    GROUPS,
    GROUP_SIZE,
    LATE,
    DEDUPLICATED,
    DUPLICATES,
    DISTINCT_FORGOTTEN,
    IDS_FORGOTTEN,
    PARTS,
    EARLY,
    GROUP_SECONDS,
    AGE,
    DEAD_LETTERS,
    BULK_DOCUMENTS,
    BULK_BYTES,
    BULK_SECONDS,
    RETRIES,
    REFUSED,
    FAILURE_STORE,
)
"""All metrics of this file, in the order in which `docs/operations.md` shows them."""


def dead_lettered(reason: str, messages: int) -> None:
    """Count dead letters by the first word of their reason; a reason without one is `other`."""
    word = reason.partition(":")[0].partition(" ")[0]
    is_known = word in _KINDS
    if not is_known and len(_KINDS) < MAX_KINDS and _WORD(word):
        _KINDS.add(word)
        is_known = True
    DEAD_LETTERS.labels(word if is_known else "other").inc(messages)


def by_label(counter: Counter) -> dict[str, int]:
    """Return the values of a counter that has one label, by the value of the label."""
    [family] = counter.collect()
    return {next(iter(one.labels.values())): int(one.value) for one in family.samples}


def total(counter: Counter) -> int:
    """Return the value of a counter without labels."""
    [family] = counter.collect()
    return int(family.samples[0].value)


_WORD = re.compile(r"[a-z][a-z_]{2,60}").fullmatch
_KINDS: set[str] = set()


class BulkMetrics:
    """Counts bulk requests: an observer of `connectors.elasticsearch.indexer`."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """Count a request that has ended."""
        BULK_DOCUMENTS.observe(documents)
        BULK_BYTES.observe(size_bytes)
        BULK_SECONDS.observe(seconds)

    def retried(self, documents: int, status: int | None) -> None:
        """Count documents to send again; status `None`: there was no answer."""
        RETRIES.labels(status or "none").inc(documents)

    def rejected(self, documents: int, status: int | None) -> None:
        """Count documents that are never stored; status `None`: there was no answer about them."""
        REFUSED.labels(status or "none").inc(documents)

    def in_failure_store(self, documents: int) -> None:
        """Count documents in the failure store of their data stream."""
        FAILURE_STORE.inc(documents)

    def ended(self, about: Sequence[Any], documents: int, seconds: float, failure: str) -> None:
        """Count nothing: `requested` has counted it."""


class Description(NamedTuple):
    """A metric as the documents describe it."""

    name: str
    """The name in Prometheus."""
    kind: str
    """`counter`, `gauge` or `histogram`."""
    labels: tuple[str, ...]
    help: str


def described() -> Iterator[Description]:
    """Describe each metric of `DECLARED`, in that order."""
    for metric in DECLARED:
        [family] = metric.describe()
        is_info = family.type == "info"
        yield description(family, ("name", "version") if is_info else metric._labelnames)


def description(family: Metric, labels: Sequence[str] = ()) -> Description:
    """Describe a metric for the documents."""
    kind = "gauge" if family.type == "info" else family.type
    name = family.name + _SUFFIXES.get(family.type, "")
    return Description(name, kind, tuple(labels), family.documentation)


_SUFFIXES = {"counter": "_total", "info": "_info"}
