"""Sends documents in the background until Elasticsearch has stored or refused each of them.

This module only runs the threads. `backlog` decides which documents are sent next,
`adaptive_concurrency` how many requests may be in flight, `bulk_response` and `retry_policy` what
an answer means.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from connectors.elasticsearch.adaptive_concurrency import AdaptiveConcurrency, Latency
from connectors.elasticsearch.backlog import LINGER_SECONDS, Backlog
from connectors.elasticsearch.bulk_request import BulkLines, check
from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry
from connectors.elasticsearch.existence import Existence
from connectors.elasticsearch.isolate import Verdict, judge
from connectors.elasticsearch.observer import NoObserver, Observer, report
from connectors.elasticsearch.outage_log import Reports
from connectors.elasticsearch.per_id_order import count_replaced_as_stored, document_names
from connectors.elasticsearch.request import Batch, Request
from connectors.elasticsearch.retry_policy import halve, is_overload, reject_single, settle
from connectors.elasticsearch.round_trip import ClusterCalls, Probes, RoundTrip
from connectors.elasticsearch.size_limit import SizeLimit, is_size_at_fault
from connectors.elasticsearch.submission import Submission
from connectors.message import Answer, Documents, SinkPace, SinkState
from connectors.retry import Backoff
from connectors.units import measured_size, size_text

log = logging.getLogger("hopper.elasticsearch")

REQUESTS = Backoff(0.1, 5.0)
"""Pauses in seconds after a request that failed as a whole. Then one request at a time tries
whether the service is back: one in five seconds is no load for it, and finds it soon."""

DOCUMENTS = Backoff(0.1, 10.0)
"""Seconds until a document is retried that no other request takes along before; 0.1 s is about the
time of a full bulk request."""


class Indexer:
    """Sends the submitted documents; starts a thread when all others have a request in flight."""

    def __init__(
        self,
        calls: ClusterCalls,
        *,
        action: str,
        index: str | None,
        concurrency: int,
        max_bytes: int,
        linger_seconds: float = LINGER_SECONDS,
        wait_for_index: bool = False,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`index`: for documents that name none.

        A document of a missing index is rejected, or, with `wait_for_index`, waits for the index.
        `linger_seconds`: how long a small batch waits for others beside requests in flight.
        With a `concurrency` of 1 documents are stored in the order of their submission.
        """
        self._index, self._clock, self._draw = index, clock, draw
        self._observer = observer or NoObserver()
        self._action, self._lines = action, BulkLines(action)
        existence = Existence(index, wait_for_index)
        self._round_trip = RoundTrip(calls, self._lines, index, existence, self._observer, clock)
        self._ordered = concurrency == 1
        self._backlog = Backlog(max_bytes, self._ordered, linger_seconds)
        self._size_limit = SizeLimit(max_bytes)
        self._pace, self._latency = AdaptiveConcurrency(concurrency, REQUESTS), Latency()
        self._accepted = 0  # requests that Elasticsearch has processed
        self._reports = Reports()
        self._changed = threading.Condition()
        self._closed = self._broken = False
        self._threads: list[threading.Thread] = []
        self._idle = 0  # threads that wait on `_changed`

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `connectors.connector.Sink`.

        Raises:
            AssertionError: a document is not on one line, or a thread has died (see `flush`).
        """
        self._check_threads()
        names = document_names(documents, self._action, self._index)
        batch = Submission(documents, self._lines, names, reply)
        sources = batch.documents.sources
        check(sources, batch.size(range(len(sources))))
        if documents.sources:
            with self._changed:
                due_at = self._due_at
                self._backlog.add(batch, self._clock())
                if self._due_at != due_at:
                    self._wake()
        return batch.withdraw

    def limit(self, max_bytes: int) -> None:
        """Limit requests to this size in bytes; a larger document is sent by itself."""
        with self._changed:
            if self._size_limit.limit(max_bytes):
                self._backlog.limit(max_bytes)
                log.info("Elasticsearch accepts requests of at most %s", size_text(max_bytes))

    def flush(self) -> None:
        """See `connectors.connector.Sink`.

        Raises:
            AssertionError: a thread has died of a defect; its traceback is on stderr.
        """
        self._check_threads()
        with self._changed:
            self._backlog.flush()
            if self._due_at is not None:
                self._wake()

    def pace(self) -> SinkPace:
        """See `connectors.connector.Sink`."""
        return SinkPace(self._pace.in_flight, self._pace.allowed, self._backlog.max_bytes)

    def state(self) -> SinkState:
        """See `connectors.connector.Sink`."""
        return self._reports.state._replace(has_backlog=self._backlog.waits)

    def note(self, reading: Items | Retry | RefusedRequest) -> None:
        """Note an answer to a request without documents, for `state`."""
        self._reports.note(reading)

    def close(self) -> None:
        """See `connectors.connector.Sink`. It does not wait for requests in flight."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=0.1)

    @property
    def _due_at(self) -> float | None:
        """When the backlog may next have a request to send; `None`: nothing waits."""
        return self._backlog.due_at(self._pace.in_flight)

    def _check_threads(self) -> None:
        if self._broken:
            raise AssertionError("a thread of the indexer has died: see its traceback on stderr")

    def _wake(self) -> None:
        """Wake a thread to look at the backlog; start one if each has a request in flight.

        A thread that has no request in flight, and does not wait, looks at the backlog next.
        """
        if self._idle:
            self._changed.notify()
        elif len(self._threads) == self._pace.in_flight and not self._pace.full:
            name = f"indexer-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        try:
            while (request := self._next()) is not None:
                self._process(request)
                del request  # its documents are stored: do not keep them until the next request
        finally:
            self._broken = not self._closed

    def _next(self) -> Request | None:
        """Wait for a request to send; return `None` when the indexer is closed."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                request = None
                if self._pace.allows(now):
                    request = self._backlog.take(now, self._pace.in_flight)
                if request is not None:
                    self._pace.start()
                due_at = None if self._pace.full else self._due_at
                if request is not None:
                    if due_at is not None:
                        # Wake another thread to watch the rest of the backlog before sending.
                        self._wake()
                    return request
                resume_at = self._pace.resume_at
                self._idle += 1
                self._changed.wait(None if due_at is None else max(due_at, resume_at) - now)
                self._idle -= 1
        return None

    def _process(self, request: Request) -> None:
        reading, size_bytes, seconds = self._round_trip(request)
        refusal = reading if isinstance(reading, Retry) and size_bytes else None
        probes = Probes() if refusal is None else self._round_trip.probe(request, refusal)
        now = self._clock()
        with self._changed:
            if self._closed:
                return
            verdict, searches = Verdict.WAIT, False
            if refusal is not None:
                verdict = self._judge(request, refusal, probes)
            others_pass = verdict not in (Verdict.WAIT, Verdict.TOO_LARGE)
            reading = reject_single(request, reading, verdict)
            if isinstance(reading, Items):
                self._accepted += size_bytes > 0 and refusal is None
                if refusal is None:
                    self._size_limit.stored(size_bytes)
                searches = self._size_limit.starts_search(now)
                slow = self._latency.is_slow(size_bytes, seconds)
                answers = self._settle(request, reading, slow, now)
            else:
                answers = []
                self._put_back(request, reading, verdict, now)
            next_try_at = max(self._due_at or now, self._pace.resume_at)
            waiting = self._backlog.count
            lines = self._reports.entries_for(
                reading, request.documents, now, next_try_at, waiting, others_pass
            )
        for line in lines:
            log.log(*line)
        report(self._observer, reading, request, seconds)
        for batch, answer in answers:
            # The backlog holds only batches of `submit`.
            assert isinstance(batch, Submission)
            batch.answer(answer)
        if searches:
            self._search_size()

    def _judge(self, request: Request, refusal: Retry, probes: Probes) -> Verdict:
        if is_size_at_fault(request, probes.only_small):
            return Verdict.TOO_LARGE
        return judge(request.record, refusal, request.documents, self._accepted, probes.passed)

    def _search_size(self) -> None:
        found = self._size_limit.search(self._round_trip.lets_pass)
        with self._changed:
            if self._size_limit.end_search(found, self._clock()):
                self._backlog.limit(largest := self._size_limit.max_bytes)
                log.info("bulk requests have up to %s again", measured_size(largest))

    def _settle(
        self, request: Request, items: Items, slow: bool, now: float
    ) -> list[tuple[Batch, Answer]]:
        settlement = settle(request, count_replaced_as_stored(request, items), self._index)
        retries = [
            (part, now + DOCUMENTS.delay(max(0, part.refusals - 1), self._draw()))
            for part in settlement.retries
        ]
        self._backlog.finish(request, retries)
        if is_overload(items, request.documents):
            self._pace.throttle()
        else:
            self._pace.succeed(slow)
        return settlement.answers

    def _put_back(
        self, request: Request, reading: Retry | RefusedRequest, verdict: Verdict, now: float
    ) -> None:
        if isinstance(reading, Retry) and reading.may_be_stored:
            request.mark_maybe_stored()
        halves = halve(request, reading, verdict)
        if halves:
            self._backlog.put_back(*halves)
            size = max(half.size for half in halves)
            too_large = verdict is Verdict.TOO_LARGE or reading.status == 413
            if too_large and self._size_limit.lower(size, request.size, reading.status, now):
                self._backlog.limit(size)
                log.info(
                    "bulk requests are limited to %s from now on: %s%s",
                    *(measured_size(size), reading.reason),
                    "; larger ones are tried again" if reading.status is None else "",
                )
        elif verdict is Verdict.RETRY:
            delay = DOCUMENTS.delay(request.record.refusals - 1, self._draw())
            self._backlog.postpone(request, now + delay)
        elif request.record.refusals:
            self._backlog.put_last(request)  # Other requests show whether this one is at fault.
        else:
            self._backlog.put_back(request)
        others_pass = verdict is Verdict.HALVE or (verdict is Verdict.RETRY and not self._ordered)
        if isinstance(reading, RefusedRequest) or verdict is Verdict.TOO_LARGE or others_pass:
            self._pace.succeed()
        else:
            self._pace.fail(now, self._draw())
