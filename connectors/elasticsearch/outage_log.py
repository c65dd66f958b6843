"""Decides what the log says about trouble: at once, then seldom, and when it is over.

Pure: `now` is an argument, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry
from connectors.elasticsearch.proxy_answer import REDIRECTS
from connectors.message import SinkState

REFUSED_FOR_GOOD = (401, 403, 404, 405, 406, *REDIRECTS)
"""Statuses of requests that will be answered so until the spec, or what it names, is another."""

EVERY = 10.0
"""Seconds between two lines: often enough to see that it goes on, seldom enough to read."""


class Reports:
    """What the log and `/health` say after each answer."""

    def __init__(self) -> None:
        self._trouble, self._culprits, self._misfits = OutageLog(), Culprits(), FailureStoreLog()
        self.state = SinkState()
        """What Elasticsearch says now."""

    def hear(
        self,
        reading: Items | Retry | RefusedRequest,
        documents: int,
        now: float,
        next_try_at: float,
        waiting: Callable[[], int],
        others_pass: bool,
    ) -> list[tuple[int, str]]:
        """Level and text of what the log should say after an answer about so many documents.

        `others_pass`: the request was refused, while others are not. For the rest see `OutageLog`.
        """
        if others_pass:
            lines = [self._culprits.hear(reading, documents, now)]
        else:
            self.state = _state_after(reading, self.state)
            lines = [self._trouble.hear(reading, now, next_try_at, waiting)]
        lines.append(self._misfits.hear(reading, now))
        return [line for line in lines if line is not None]


class OutageLog:
    """What keeps Elasticsearch from taking documents, as its answers tell, one after the other."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said_at = float("-inf")

    def hear(
        self,
        reading: Items | Retry | RefusedRequest,
        now: float,
        next_try_at: float,
        waiting: Callable[[], int],
    ) -> tuple[int, str] | None:
        """Level and text of what the log should say after this answer, if anything.

        `waiting` counts the documents that wait; it is only asked when that is told.
        """
        reason = _reason(reading)
        if reason is None:
            return self._end(now)
        if self._since is None:
            self._since = now
        if now < self._said_at + EVERY:
            return None
        self._said_at = now
        return _level(reading), (
            f"Elasticsearch has not taken all documents for {now - self._since:.1f} s: {reason}; "
            f"{waiting()} wait, next try in {max(0.0, next_try_at - now):.1f} s"
        )

    def _end(self, now: float) -> tuple[int, str] | None:
        since, self._since = self._since, None
        if since is None or self._said_at < since:
            return None  # What was not heard of does not end.
        return logging.INFO, f"Elasticsearch takes documents again, after {now - since:.1f} s"


class Culprits:
    """Requests that are refused while others pass."""

    def __init__(self) -> None:
        self._said_at = float("-inf")

    def hear(
        self, reading: Items | Retry | RefusedRequest, documents: int, now: float
    ) -> tuple[int, str] | None:
        """Level and text of what the log should say after such a refusal, if anything.

        `documents` is how many the request has. What is rejected in the end is told where it is
        parked.
        """
        reason = _reason(reading)
        if reason is None or now < self._said_at + EVERY:
            return None
        self._said_at = now
        return logging.WARNING, (
            f"a request of {documents} documents is refused while others pass: {reason}; it is "
            "halved until the document that is refused is alone, and parked"
        )


class FailureStoreLog:
    """Documents in the failure store of their data stream: see `Items.in_failure_store`."""

    def __init__(self) -> None:
        self._count = 0
        self._said_at = float("-inf")

    def hear(self, reading: Items | Retry | RefusedRequest, now: float) -> tuple[int, str] | None:
        """Level and text of what the log should say after this answer, if anything.

        They are not parked, so a reader of the dead letters alone would not hear of them.
        """
        if not isinstance(reading, Items) or not reading.in_failure_store:
            return None
        self._count += reading.in_failure_store
        if now < self._said_at + EVERY:
            return None
        self._said_at = now
        return logging.WARNING, (
            f"Elasticsearch has put documents that do not fit into the failure store of their data "
            f"stream, {self._count} so far; GET NAME::failures/_search shows why"
        )


def _state_after(reading: Items | Retry | RefusedRequest, before: SinkState) -> SinkState:
    """What Elasticsearch says now."""
    reason = _reason(reading)
    if isinstance(reading, Retry):
        return SinkState(reading.status is not None, reason)
    if isinstance(reading, Items) and not (reading.stored or reading.rejected):
        return SinkState(True, reason) if reason is not None else before
    return SinkState()


def _reason(reading: Items | Retry | RefusedRequest) -> str | None:
    """Why documents have to be sent again, if Elasticsearch is why."""
    if isinstance(reading, Retry):
        return reading.reason if reading.status is None else f"{reading.status} {reading.reason}"
    if isinstance(reading, Items) and (refused := reading.throttled or reading.failed):
        return f"{refused[0].status} {refused[0].reason}"
    return None


def _level(reading: Items | Retry | RefusedRequest) -> int:
    # What is refused for good now will be so later, unless a person does something.
    for_good = isinstance(reading, Retry) and reading.status in REFUSED_FOR_GOOD
    return logging.ERROR if for_good else logging.WARNING
