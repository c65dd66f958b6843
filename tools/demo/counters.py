"""The counters of the job, from its metrics for Prometheus."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

TIMEOUT_SECONDS = 5
"""The job answers within milliseconds; only an overloaded machine needs more."""


class Counters(NamedTuple):
    """The counters at one moment."""

    received: int = 0
    stored: int = 0
    parked: int = 0
    open: int = 0
    """Received messages that are neither stored nor parked yet."""
    bulks: int = 0
    bulks_by_size: Sequence[tuple[str, int]] = ()
    """The number of bulk requests by their documents (`101 to 500`), smallest first."""
    windows: Sequence[tuple[str, int]] = ()
    """The number of windows by the rule that completed them."""

    @property
    def settled(self) -> int:
        """Messages that have their outcome."""
        return self.stored + self.parked


def fetch(port: int) -> Counters | None:
    """Fetch the counters of a job on this machine; `None`: it does not answer, or not yet."""
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            return read(answer.read().decode())
    except OSError:
        return None


def read(text: str) -> Counters:
    """Read the answer of the endpoint."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    value = {sample.name: int(sample.value) for sample in samples if not sample.labels}
    return Counters(
        received=value["hopper_received_total"],
        stored=value["hopper_stored_total"],
        parked=value["hopper_parked_total"],
        open=value["hopper_unacknowledged"],
        bulks=value["hopper_bulk_documents_count"],
        bulks_by_size=list(_by_size(samples)),
        windows=[
            (sample.labels["completed_by"], int(sample.value))
            for sample in samples
            if sample.name == "hopper_groups_total"
        ],
    )


def _by_size(samples: Sequence[Sample]) -> Iterator[tuple[str, int]]:
    """Each bucket alone: a bucket of Prometheus includes all smaller ones."""
    buckets = [
        (float(sample.labels["le"]), int(sample.value))
        for sample in samples
        if sample.name == "hopper_bulk_documents_bucket"
    ]
    for (lower, fewer), (upper, count) in pairwise([(0.0, 0), *buckets]):
        if count > fewer:
            yield _range(lower, upper), count - fewer


def _range(lower: float, upper: float) -> str:
    if upper == inf:
        return f"over {lower:,.0f}"
    first = lower + 1
    return f"{upper:,.0f}" if first == upper else f"{first:,.0f} to {upper:,.0f}"
