"""Reports requests and their answers to an observer that counts them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry
from connectors.elasticsearch.request import Request


class Observer(Protocol):
    """Counts requests and documents; the threads of the indexer call it."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """Count a request that has ended, with or without an answer."""

    def retried(self, documents: int, status: int | None) -> None:
        """Count documents to retry; `None`: there was no answer."""

    def rejected(self, documents: int, status: int | None) -> None:
        """Count documents that can not be stored; `None`: there was no answer about them."""

    def in_failure_store(self, documents: int) -> None:
        """Count documents that are in the failure store of their data stream."""

    def ended(self, about: Sequence[Any], documents: int, seconds: float, failure: str) -> None:
        """Note that a request has ended just now.

        `about`: what its documents are about (see `Documents`); `failure`: why it failed as a
        whole; empty: it did not.
        """


def report(
    observer: Observer, reading: Items | Retry | RefusedRequest, request: Request, seconds: float
) -> None:
    """Report the answer to a request, which came after so many seconds."""
    about = [part.batch.documents.about for part in request.parts]
    failure = (
        "" if isinstance(reading, Items) else f"{reading.status or 'no answer'}: {reading.reason}"
    )
    observer.ended(about, request.documents, seconds, failure)
    if not isinstance(reading, Items):
        observer.retried(request.documents, reading.status)
        return
    retries = Counter(refusal.status for refusal in [*reading.throttled, *reading.failed])
    for status, number in retries.items():
        observer.retried(number, status)
    rejected = Counter(refusal.status for refusal in reading.rejected)
    for status, number in rejected.items():
        observer.rejected(number, status)
    if reading.in_failure_store:
        observer.in_failure_store(reading.in_failure_store)


def _failure(reading: Items | Retry | RefusedRequest) -> str:
    if isinstance(reading, Items):
        return ""
    return reading.reason if reading.status is None else f"{reading.status} {reading.reason}"


class NoObserver:
    """Counts nothing."""

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        """See `Observer`."""

    def retried(self, documents: int, status: int | None) -> None:
        """See `Observer`."""

    def rejected(self, documents: int, status: int | None) -> None:
        """See `Observer`."""

    def in_failure_store(self, documents: int) -> None:
        """See `Observer`."""

    def ended(self, about: Sequence[Any], documents: int, seconds: float, failure: str) -> None:
        """See `Observer`."""
