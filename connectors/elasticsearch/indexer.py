"""Sends documents in the background until Elasticsearch has stored or refused each of them.

The threads, and nothing but the threads: what is sent next is decided in `backlog`, how many
requests may be under way in `pace`, what an answer means in `bulk` and `settle`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from connectors.elasticsearch.adaptive_concurrency import AdaptiveConcurrency, Latency
from connectors.elasticsearch.backlog import Backlog
from connectors.elasticsearch.bulk_request import BulkLines, check
from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Reply, Retry
from connectors.elasticsearch.existence import Existence
from connectors.elasticsearch.isolate import Verdict, judge
from connectors.elasticsearch.observer import NoObserver, Observer, tell
from connectors.elasticsearch.outage_log import Reports
from connectors.elasticsearch.per_id_order import naming, replace
from connectors.elasticsearch.request import Batch, Request
from connectors.elasticsearch.retry_policy import condemn, divide, is_too_large, settle
from connectors.elasticsearch.round_trip import RoundTrip
from connectors.elasticsearch.submission import Submission
from connectors.message import Answer, Documents, SinkState
from connectors.retry import Backoff
from connectors.units import size_text

log = logging.getLogger("hopper.elasticsearch")

REQUESTS = Backoff(0.1, 5.0)
"""Pauses after requests that failed as a whole. One request at a time asks whether the service is
back; one in five seconds is no burden, and a service that came back is found soon."""

DOCUMENTS = Backoff(0.1, 10.0)
"""Waits of documents that are to be sent again; 0.1 s is about what a full bulk takes."""


class Indexer:
    """Sends what is submitted, by threads that are started as they are needed."""

    def __init__(
        self,
        send: Callable[[bytes], Reply],
        *,
        read: Callable[[bytes], Reply],
        action: str,
        index: str | None,
        concurrency: int,
        bytes_max: int,
        linger: float,
        probe: Callable[[int], Reply] | None = None,
        exists: Callable[[str], bool | Reply] | None = None,
        wait_for_index: bool = False,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`send` returns when the request has ended; `index`: of documents that name none.

        `read` looks at documents that are there: see `claims`.
        `probe` sends a request of so many bytes that asks for nothing; `None`: nothing can do so.
        `exists` looks for an index, or tells why that is unknown; `None`: every index may be made.
        Documents of one that is not there are rejected, or, with `wait_for_index`, wait for it.
        With a `concurrency` of 1 documents are stored in the order in which they were submitted.
        """
        self._index, self._clock, self._draw = index, clock, draw
        self._observer = observer or NoObserver()
        self._action, self._lines = action, BulkLines(action)
        self._exchange = RoundTrip(send, read, self._lines, index, self._observer, clock)
        if probe is not None:
            self._exchange.probe_with(probe)
        if exists is not None:
            self._exchange.look_for(exists, Existence(index, wait_for_index))
        self._ordered = concurrency == 1
        self._backlog = Backlog(bytes_max, linger, self._ordered)
        self._pace, self._latency = AdaptiveConcurrency(concurrency, REQUESTS), Latency()
        self._passed = 0  # requests that Elasticsearch has worked on
        self._reports = Reports()
        self._changed = threading.Condition()
        self._closed = self._broken = False
        self._threads: list[threading.Thread] = []
        self._idle = 0  # threads that wait to be called

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `connectors.connector.Sink`.

        Raises:
            AssertionError: a document is not one line, or see `flush`.
        """
        self._check_threads()
        check(documents.sources)
        names = naming(documents, self._action, self._index)
        batch = Submission(documents, self._lines, names, reply)
        if documents.sources:
            with self._changed:
                due_at = self._backlog.due_at()
                self._backlog.add(batch, self._clock())
                if self._backlog.due_at() != due_at:
                    self._call()
        return batch.withdraw

    def limit(self, bytes_max: int) -> None:
        """From now on, no request has more bytes, unless a single document has."""
        with self._changed:
            if self._backlog.limit(bytes_max):
                log.info("Elasticsearch takes requests of %s at the most", size_text(bytes_max))

    def flush(self) -> None:
        """See `connectors.connector.Sink`.

        Raises:
            AssertionError: a thread has died of a defect, which it has printed.
        """
        self._check_threads()
        with self._changed:
            self._backlog.flush()
            if self._backlog.due_at() is not None:
                self._call()

    def state(self) -> SinkState:
        """See `connectors.connector.Sink`."""
        return self._reports.state

    def close(self) -> None:
        """See `connectors.connector.Sink`. A request that is under way is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=0.1)

    def _check_threads(self) -> None:
        if self._broken:
            raise AssertionError("a thread of the indexer has died")

    def _call(self) -> None:
        """Wake a thread to look at the backlog; start a new one if each has a request in flight.

        One that has none, and does not wait either, is about to look.
        """
        if self._idle:
            self._changed.notify()
        elif len(self._threads) == self._pace.under_way and not self._pace.full:
            name = f"indexer-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        try:
            while (request := self._next()) is not None:
                self._process(request)
        finally:
            self._broken = not self._closed

    def _next(self) -> Request | None:
        """Wait until something is to be sent; `None` when the indexer is closed."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                request = self._backlog.take(now) if self._pace.allows(now) else None
                due_at = None if self._pace.full else self._backlog.due_at()
                if request is not None:
                    self._pace.start()
                    if due_at is not None:
                        # Wake another thread to watch the rest of the backlog before sending.
                        self._call()
                    return request
                resume_at = self._pace.resume_at
                self._idle += 1
                self._changed.wait(None if due_at is None else max(due_at, resume_at) - now)
                self._idle -= 1
        return None

    def _process(self, request: Request) -> None:
        reading, size_bytes, seconds = self._exchange(request)
        refusal = reading if isinstance(reading, Retry) and size_bytes else None
        probed = None if refusal is None else self._exchange.probe(request, refusal)
        now = self._clock()
        with self._changed:
            if self._closed:
                return
            verdict = Verdict.WAIT
            if refusal is not None:
                verdict = judge(request.record, refusal, request.documents, self._passed, probed)
            others_pass = verdict is not Verdict.WAIT
            reading = condemn(request, reading, verdict)
            if isinstance(reading, Items):
                self._passed += size_bytes > 0 and refusal is None
                slow = self._latency.is_slow(size_bytes, seconds)
                answers = self._settle(request, reading, slow, now)
            else:
                answers = []
                self._put_back(request, reading, verdict, now)
            next_try_at = max(self._backlog.due_at() or now, self._pace.resume_at)
            waiting = self._backlog.count
            lines = self._reports.hear(
                reading, request.documents, now, next_try_at, waiting, others_pass
            )
        for line in lines:
            log.log(*line)
        tell(self._observer, reading, request.documents)
        for batch, answer in answers:
            # Only what `submit` made is in the backlog.
            assert isinstance(batch, Submission)
            batch.answer(answer)

    def _settle(
        self, request: Request, items: Items, slow: bool, now: float
    ) -> list[tuple[Batch, Answer]]:
        settlement = settle(request, replace(request, items), self._index)
        again = [
            (part, now + DOCUMENTS.delay(part.refusals - 1, self._draw()))
            for part in settlement.again
        ]
        self._backlog.finish(request, again)
        if any(refusal.status in (429, 503) for refusal in items.throttled):
            self._pace.throttle()
        else:
            self._pace.succeed(slow)
        return settlement.answers

    def _put_back(
        self, request: Request, reading: Retry | RefusedRequest, verdict: Verdict, now: float
    ) -> None:
        if isinstance(reading, Retry) and reading.may_be_stored:
            request.doubt()
        halves = divide(request, reading, verdict)
        if halves:
            self._backlog.put_back(*halves)
            if is_too_large(reading, verdict):
                size = max(half.size for half in halves)
                if self._backlog.limit(size):
                    log.info("requests are of %s now: %s", size_text(size), reading.reason)
        elif verdict is Verdict.RETRY:
            delay = DOCUMENTS.delay(request.record.refusals - 1, self._draw())
            self._backlog.set_aside(request, now + delay)
        elif request.record.refusals:
            self._backlog.put_last(request)  # Others tell whether it is its own fault.
        else:
            self._backlog.put_back(request)
        others_pass = verdict is Verdict.HALVE or (verdict is Verdict.RETRY and not self._ordered)
        if isinstance(reading, RefusedRequest) or others_pass:
            self._pace.succeed()
        else:
            self._pace.fail(now, self._draw())
