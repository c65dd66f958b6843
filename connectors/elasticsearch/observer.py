"""Counts what is sent, and the answers. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry


class Observer(Protocol):
    """Called from the threads of the indexer."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """A request has ended, well or not."""

    def retried(self, documents: int, status: int | None) -> None:
        """Documents are to be sent again; `None`: there was no answer."""

    def rejected(self, documents: int, status: int | None) -> None:
        """Documents will never be stored; `None`: there was no answer about them."""

    def in_failure_store(self, documents: int) -> None:
        """Documents are stored in the failure store of their data stream, which they do not fit."""


def tell(observer: Observer, reading: Items | Retry | RefusedRequest, documents: int) -> None:
    """What has been read of a request with that many documents."""
    if not isinstance(reading, Items):
        observer.retried(documents, reading.status)
        return
    retries = Counter(refusal.status for refusal in [*reading.throttled, *reading.failed])
    for status, number in retries.items():
        observer.retried(number, status)
    rejected = Counter(refusal.status for refusal in reading.rejected)
    for status, number in rejected.items():
        observer.rejected(number, status)
    if reading.in_failure_store:
        observer.in_failure_store(reading.in_failure_store)


class NoObserver:
    """Looks away."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """See `Observer`."""

    def retried(self, documents: int, status: int | None) -> None:
        """See `Observer`."""

    def rejected(self, documents: int, status: int | None) -> None:
        """See `Observer`."""

    def in_failure_store(self, documents: int) -> None:
        """See `Observer`."""
