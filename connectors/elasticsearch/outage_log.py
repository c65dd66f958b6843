"""Decides what to log about outages and refusals: the first at once, then rarely, and the end.

Pure: `now` is an argument, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry
from connectors.elasticsearch.proxy_answer import REDIRECTS
from connectors.message import SinkState

REFUSED_FOR_GOOD = (401, 403, 404, 405, 406, *REDIRECTS)
"""Statuses that stay the same until a person changes the spec or the cluster."""

LOG_AFTER = 10.0
"""Seconds between two lines about the same state."""


class Reports:
    """Log entries and the state for `/health`, after each answer."""

    def __init__(self) -> None:
        self._outage, self._refused, self._failure_store = (
            OutageLog(),
            RefusedRequestLog(),
            FailureStoreLog(),
        )
        self.state = SinkState()
        """See `Sink.state`."""

    def note(self, reading: Items | Retry | RefusedRequest) -> None:
        """Note the state after an answer to a request without documents."""
        self.state = _state_after(reading, self.state)

    def entries_for(
        self,
        reading: Items | Retry | RefusedRequest,
        documents: int,
        now: float,
        next_try_at: float,
        waiting: Callable[[], int],
        others_pass: bool,
    ) -> list[tuple[int, str]]:
        """Return level and text of the log entries after an answer about so many documents.

        `others_pass`: this request is refused while others pass. For the rest see `OutageLog`.
        """
        if others_pass:
            lines = [self._refused.entry_for(reading, documents, now)]
        else:
            self.state = _state_after(reading, self.state)
            lines = [self._outage.entry_for(reading, now, next_try_at, waiting)]
        lines.append(self._failure_store.entry_for(reading, now))
        return [line for line in lines if line is not None]


class OutageLog:
    """Logs that Elasticsearch does not accept documents, by its answers in order."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._logged_at = float("-inf")

    def entry_for(
        self,
        reading: Items | Retry | RefusedRequest,
        now: float,
        next_try_at: float,
        waiting: Callable[[], int],
    ) -> tuple[int, str] | None:
        """Return level and text of the log entry after this answer; `None`: log nothing.

        `next_try_at`: when the next request starts. `waiting` returns the number of documents that
        wait; it is called only for an entry.
        """
        reason = _reason(reading)
        if reason is None:
            return self._end(now)
        if self._since is None:
            self._since = now
        if now < self._logged_at + LOG_AFTER:
            return None
        self._logged_at = now
        reason = reason.rstrip(";")  # some end with one
        return _level(reading), (
            f"Elasticsearch has not accepted all documents for {now - self._since:.1f} s: "
            f"{reason}; {waiting()} wait, next attempt in {max(0.0, next_try_at - now):.1f} s"
        )

    def _end(self, now: float) -> tuple[int, str] | None:
        since, self._since = self._since, None
        if since is None or self._logged_at < since:
            return None  # The outage was never logged, so do not log a recovery.
        return logging.INFO, f"Elasticsearch accepts documents again, after {now - since:.1f} s"


class RefusedRequestLog:
    """Logs requests that are refused while others pass."""

    def __init__(self) -> None:
        self._logged_at = float("-inf")

    def entry_for(
        self, reading: Items | Retry | RefusedRequest, documents: int, now: float
    ) -> tuple[int, str] | None:
        """Return level and text of the log entry after such a refusal; `None`: log nothing.

        `documents`: of the request. Documents that are rejected in the end are logged when they are
        parked.
        """
        reason = _reason(reading)
        if reason is None or now < self._logged_at + LOG_AFTER:
            return None
        self._logged_at = now
        return logging.WARNING, (
            f"a request of {documents} documents is refused while others pass: {reason}; the job "
            "halves it until the refused document is alone, and parks that one"
        )


class FailureStoreLog:
    """Documents in the failure store of their data stream: see `Items.in_failure_store`."""

    def __init__(self) -> None:
        self._count = 0
        self._logged_at = float("-inf")

    def entry_for(
        self, reading: Items | Retry | RefusedRequest, now: float
    ) -> tuple[int, str] | None:
        """Return level and text of the log entry after this answer; `None`: log nothing.

        These documents are not parked, so the dead letters alone would not show them.
        """
        if not isinstance(reading, Items) or not reading.in_failure_store:
            return None
        self._count += reading.in_failure_store
        if now < self._logged_at + LOG_AFTER:
            return None
        self._logged_at = now
        return logging.WARNING, (
            f"Elasticsearch has put documents that do not fit their data stream into its failure "
            f"store, {self._count} so far: GET NAME::failures/_search shows why"
        )


def _state_after(reading: Items | Retry | RefusedRequest, before: SinkState) -> SinkState:
    """Return the state after an answer."""
    reason = _reason(reading)
    if isinstance(reading, Retry):
        return SinkState(reading.status is not None, reason)
    if isinstance(reading, Items) and not (reading.stored or reading.rejected):
        return SinkState(True, reason) if reason is not None else before
    return SinkState()


def _reason(reading: Items | Retry | RefusedRequest) -> str | None:
    """Return why Elasticsearch makes the job retry documents; `None`: it does not."""
    if isinstance(reading, Retry):
        return reading.reason if reading.status is None else f"{reading.status} {reading.reason}"
    if isinstance(reading, Items) and (refused := reading.throttled or reading.failed):
        return f"{refused[0].status} {refused[0].reason}"
    return None


def _level(reading: Items | Retry | RefusedRequest) -> int:
    # An error, if a person must do something.
    for_good = isinstance(reading, Retry) and reading.status in REFUSED_FOR_GOOD
    return logging.ERROR if for_good else logging.WARNING
