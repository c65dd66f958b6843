"""Decides which documents are sent next, and which share a request.

Pure. Arguments are `now`, in seconds of any clock that only goes forward, and `in_flight`, the
number of requests that wait for their answers. It knows neither what a request looks like nor what
an answer says.

Rule 1: The backlog sends batches in the order of their submission.
Rule 2: A batch is one request; one larger than `max_bytes` is divided.
Rule 3: Small batches share a request. The first is sent at once; those that come while requests
        are in flight wait for the next request, as bytes do in TCP (Nagle's algorithm, RFC 896).
        They wait at most `LINGER_SECONDS`, and only while they are small together.
Rule 4: Documents to retry wait until they are due, share a request, and go first. New documents
        come along where there is room. Documents of which most were accepted (`may_join`) do not
        wait longer than for the next new documents: they come along with these.
Rule 5: In an ordered backlog no document overtakes one that waits for its retry, nor shares its
        request.
Rule 6: Withdrawn documents are never sent.
Rule 7: Documents of the same name do not overtake each other (see `per_id_order`).
Rule 8: A postponed request is sent unchanged when it is due. An ordered backlog postpones none.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from math import inf

from connectors.elasticsearch.per_id_order import PerIdOrder, names_of
from connectors.elasticsearch.request import Batch, Name, Request, RequestPart

SMALL_BYTES = 64 * 1024
"""About 260 documents of 235 bytes. In a smaller request, the fixed cost (200 µs of CPU time here,
and as much in Elasticsearch) is a good part of the cost of its documents."""

LINGER_SECONDS = 0.01
"""How long a small batch waits for others. A healthy Elasticsearch answers a small request sooner;
while a request takes longer, small batches are sent beside it."""


class Backlog:
    """All documents that wait to be sent."""

    def __init__(
        self, max_bytes: int, ordered: bool, linger_seconds: float = LINGER_SECONDS
    ) -> None:
        """`ordered`: see rule 5; `linger_seconds`: see rule 3."""
        self._max_bytes, self._ordered = max_bytes, ordered
        self._linger_seconds = linger_seconds
        self._small_bytes = min(SMALL_BYTES, max_bytes)
        self._order = PerIdOrder(max_bytes)
        self._requests: deque[Request] = deque()
        self._lingering: list[RequestPart] = []
        self._lingering_bytes = 0
        self._lingering_since = 0.0
        self._retries: list[tuple[float, int, RequestPart]] = []
        self._joining: list[tuple[float, int, RequestPart]] = []
        self._postponed: list[tuple[float, int, Request]] = []
        self._numbers = itertools.count()

    def add(self, batch: Batch, now: float) -> None:
        """Add a batch of at least one document."""
        batch.number = next(self._numbers)
        positions = range(len(batch.documents.sources))
        size = batch.size(positions)
        if size >= self._small_bytes:
            self.flush()  # Rule 1
            self._requests.extend(self._cut(batch, positions, size))
            return
        if self._lingering_bytes + size > self._max_bytes:
            self.flush()
        if not self._lingering:
            self._lingering_since = now
        self._lingering.append(RequestPart(batch, positions))
        self._lingering_bytes += size

    @property
    def max_bytes(self) -> int:
        """Size of the largest request, in bytes; a larger document is sent by itself."""
        return self._max_bytes

    def limit(self, max_bytes: int) -> None:
        """Limit requests to this size (rule 2), whether it is less or more than before."""
        self._max_bytes = self._order.max_bytes = max_bytes
        self._small_bytes = min(SMALL_BYTES, max_bytes)
        self.flush()
        waiting, self._requests = self._requests, deque()
        for request in waiting:
            self._requests.extend(self._fitting(request))

    def flush(self) -> None:
        """Send small batches without waiting for more. Rule 3."""
        if self._lingering:
            self._requests.append(Request(self._lingering))
            self._lingering, self._lingering_bytes = [], 0

    def take(self, now: float, in_flight: int) -> Request | None:
        """Return the request to send now, if there is one."""
        request = self._next(now, in_flight)
        if request is not None:
            for part in request.parts:
                part.attempts += 1
        return request

    def due_at(self, in_flight: int) -> float | None:
        """Return when `take` may next return a request; `None`: nothing waits."""
        lines = self._retries, self._joining, self._postponed
        times = [waiting[0][0] for waiting in lines if waiting]
        if not (self._ordered and times):
            if self._requests:
                return float("-inf")
            if self._lingering:
                times.append(self._lingering_due_at(in_flight))
        return min(times, default=None)

    def finish(self, request: Request, retries: Sequence[tuple[RequestPart, float]] = ()) -> None:
        """Settle a request, but for the parts to retry, each at its time."""
        names = request.names or set()
        if retries:
            retries = self._order.one_of_each(retries)
            names = names.difference(*(part.names for part, _ in retries))
            for part, due_at in retries:
                joins = part.may_join and not self._ordered
                line = self._joining if joins else self._retries  # Rule 4
                insort(line, (due_at, next(self._numbers), part))
        self._release(names)

    def put_back(self, *requests: Request) -> None:
        """Send these next, in this order: one request, or the halves of one."""
        shared = requests if len(requests) == 1 else self._order.share(requests)
        self._requests.extendleft(reversed(shared))

    def put_last(self, request: Request) -> None:
        """Send all other requests before this one, unless the backlog is ordered."""
        if self._ordered:
            self.put_back(request)
        else:
            self._requests.append(request)

    def postpone(self, request: Request, due_at: float) -> None:
        """Retry this request at `due_at`, and send others meanwhile. Rule 8."""
        if self._ordered:
            self.put_back(request)
        else:
            insort(self._postponed, (due_at, next(self._numbers), request))

    @property
    def waits(self) -> bool:
        """Whether documents wait for more than others to share a request; any thread may ask."""
        lines = self._requests, self._retries, self._joining, self._postponed
        return any(lines) or self._lingering_bytes >= self._small_bytes

    def count(self) -> int:
        """Return how many documents wait."""
        waiting = [*self._requests, Request(self._lingering), Request(self._order.held)]
        waiting.append(Request([part for _, _, part in (*self._retries, *self._joining)]))
        waiting += [request for _, _, request in self._postponed]
        return sum(Request(_still_wanted(request.parts)).documents for request in waiting)

    def _next(self, now: float, in_flight: int) -> Request | None:
        if not self._ordered:
            self._flush_due(now, in_flight)
        request = self._take_retries(now)
        if self._ordered:
            if request is not None or self._retries:  # Rule 5
                return request
            self._flush_due(now, in_flight)
        elif request is not None:
            return self._with_new(request)
        else:
            request = self._take_postponed(now)
        while request is None and self._requests:
            request = self._wanted(self._requests.popleft())
        return request

    def _flush_due(self, now: float, in_flight: int) -> None:
        if self._lingering and self._lingering_due_at(in_flight) <= now:
            self.flush()

    def _lingering_due_at(self, in_flight: int) -> float:
        """Rule 3."""
        if not in_flight or self._lingering_bytes >= self._small_bytes:
            return float("-inf")
        return self._lingering_since + self._linger_seconds

    def _fitting(self, request: Request) -> list[Request]:
        if request.size <= self._max_bytes or request.documents == 1:
            return [request]
        halves: Sequence[Request] = request.halves()
        if request.names is not None:
            halves = self._order.share(halves)
        return [fitting for half in halves for fitting in self._fitting(half)]

    def _take_retries(self, now: float) -> Request | None:
        if not (self._retries or self._joining):
            return None
        new = self._requests and self._requests[0].names is None
        parts: list[RequestPart] = []
        size = 0
        for line, until in ((self._joining, inf if new else now), (self._retries, now)):
            while line and line[0][0] <= until:
                part = line[0][2]
                if part.batch.withdrawn:  # Rule 6
                    self._release(set(part.names))
                else:
                    size += part.size
                    if parts and size > self._max_bytes:
                        break
                    parts.append(part)
                del line[0]
        return Request(parts, names_of(parts)) if parts else None

    def _with_new(self, retries: Request) -> Request:
        """Add new documents to retries, where there is room. Rule 4."""
        self.flush()
        next_one = self._requests[0] if self._requests else None
        if next_one is None or next_one.names is not None:
            return retries
        if retries.size + next_one.size > self._max_bytes:
            return retries
        new = self._wanted(self._requests.popleft())
        if new is None or new.names is None or retries.names is None:
            return retries
        return Request([*retries.parts, *new.parts], retries.names | new.names)

    def _take_postponed(self, now: float) -> Request | None:
        request = None
        while request is None and self._postponed and self._postponed[0][0] <= now:
            request = self._wanted(self._postponed.pop(0)[2])
        return request

    def _wanted(self, request: Request) -> Request | None:
        """Return the part of a request that may be sent now; `None`: no document of it may."""
        parts = _still_wanted(request.parts)
        if request.names is None:
            parts, names = self._order.take_names(parts)  # Rule 7
        elif len(parts) == len(request.parts):
            return request
        else:
            names = names_of(parts)
            self._release(request.names - names)
        return Request(parts, names) if parts else None

    def _release(self, names: set[Name]) -> None:
        self._requests.extendleft(self._order.release(names))

    def _cut(self, batch: Batch, positions: range, size: int) -> Iterator[Request]:
        """Divide a batch into requests (rule 2); a document that is too large gets its own."""
        if size <= self._max_bytes:
            yield Request([RequestPart(batch, positions)])
            return
        start = size = 0
        for position in positions:
            more = batch.size([position])
            if size + more > self._max_bytes and position > start:
                yield Request([RequestPart(batch, range(start, position))])
                start, size = position, 0
            size += more
        yield Request([RequestPart(batch, range(start, len(positions)))])


def _still_wanted(parts: list[RequestPart]) -> list[RequestPart]:
    return [part for part in parts if not part.batch.withdrawn]  # Rule 6
