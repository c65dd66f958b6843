"""Decides which documents are sent next, and which of them share a request.

Pure: `now` is an argument, in seconds of any clock that only goes forward. It does not know what
a request looks like, nor what an answer says.

Rule 1: First come, first served.
Rule 2: A batch is one request, unless it is larger than `bytes_max`: then it is cut.
Rule 3: Small batches share a request. They wait for company, for `linger` seconds at most, and
        only until they are not small any more or a large batch stands behind them.
Rule 4: What is to be sent again waits for its time, may share a request with others of its kind,
        and goes first.
Rule 5: In an ordered backlog nothing overtakes what waits to be sent again.
Rule 6: What has been withdrawn vanishes.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence

from connectors.message import Documents

SMALL_BYTES = 64 * 1024
"""A request of 260 documents of 235 bytes; below it, what a request costs by itself (200 µs of our
time, and as much of Elasticsearch's) is a good part of what its documents cost."""


class Batch:
    """What came in together, by one call of `submit`."""

    __slots__ = ("documents", "heads", "overhead", "withdrawn")

    def __init__(self, documents: Documents, heads: list[bytes] | None, overhead: int) -> None:
        """`heads`: the line above each document.

        `None`: it is the same for all, and `overhead` is what a request adds to each, in bytes.
        """
        self.documents, self.heads, self.overhead = documents, heads, overhead
        self.withdrawn = False

    def size(self, positions: Sequence[int]) -> int:
        """Bytes that these documents take up in a request."""
        sources, heads = self.columns(positions)
        size = sum(map(len, sources))
        if heads is None:
            return size + self.overhead * len(sources)
        return size + sum(map(len, heads)) + 2 * len(sources)  # a newline after each

    def columns(self, positions: Sequence[int]) -> tuple[list[bytes], list[bytes] | None]:
        """Sources and heads of these documents."""
        sources, heads = self.documents.sources, self.heads
        if len(positions) == len(sources):
            return sources, heads
        return (
            [sources[position] for position in positions],
            None if heads is None else [heads[position] for position in positions],
        )


class Part:
    """Documents of one batch that have the same past."""

    __slots__ = ("attempts", "batch", "errors", "positions", "refusals")

    def __init__(self, batch: Batch, positions: Sequence[int]) -> None:
        self.batch, self.positions = batch, positions
        self.attempts = 0
        """How often they have been taken to be sent."""
        self.refusals = 0
        """How often Elasticsearch said of just these documents: again."""
        self.errors = 0
        """How many of these were failures of Elasticsearch itself."""

    def only(self, positions: Sequence[int]) -> Part:
        """Some of these documents, with the same past."""
        part = Part(self.batch, positions)
        part.attempts, part.refusals, part.errors = self.attempts, self.refusals, self.errors
        return part

    @property
    def size(self) -> int:
        """In a request, in bytes."""
        return self.batch.size(self.positions)


class Request:
    """Parts that are sent together."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(len(part.positions) for part in self.parts)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.size for part in self.parts)

    def halves(self) -> tuple[Request, Request]:
        """The same documents in two requests; needs two documents at least."""
        if len(self.parts) > 1:
            middle = len(self.parts) // 2
            return Request(self.parts[:middle]), Request(self.parts[middle:])
        (part,) = self.parts
        middle = len(part.positions) // 2
        first, second = part.positions[:middle], part.positions[middle:]
        return Request([part.only(first)]), Request([part.only(second)])


class Backlog:
    """All documents that wait to be sent."""

    def __init__(self, bytes_max: int, linger: float, ordered: bool) -> None:
        """`linger` in seconds, 0: no request is shared; `ordered`: see rule 5."""
        self._bytes_max, self._linger, self._ordered = bytes_max, linger, ordered
        self._small_bytes = min(SMALL_BYTES, bytes_max) if linger else 0
        self._requests: deque[Request] = deque()
        self._company: list[Part] = []
        self._company_bytes = 0
        self._company_due_at = 0.0
        self._again: list[tuple[float, int, Part]] = []
        self._numbers = itertools.count()

    def add(self, batch: Batch, now: float) -> None:
        """Take in a batch of at least one document."""
        positions = range(len(batch.documents.sources))
        size = batch.size(positions)
        if size >= self._small_bytes:
            self.flush()  # Rule 1
            self._requests.extend(self._cut(batch, positions, size))
            return
        if self._company_bytes + size > self._bytes_max:
            self.flush()
        if not self._company:
            self._company_due_at = now + self._linger
        self._company.append(Part(batch, positions))
        self._company_bytes += size
        if self._company_bytes >= self._small_bytes:
            self.flush()

    def flush(self) -> None:
        """Nothing waits for company any more. Rule 3."""
        if self._company:
            self._requests.append(Request(self._company))
            self._company, self._company_bytes = [], 0

    def take(self, now: float) -> Request | None:
        """Hand over what is to be sent now, if anything is."""
        parts = self._take_again(now)
        if not parts and not (self._ordered and self._again):  # Rule 5
            if self._company and self._company_due_at <= now:
                self.flush()
            while self._requests and not parts:
                parts = _still_wanted(self._requests.popleft().parts)
        if not parts:
            return None
        for part in parts:
            part.attempts += 1
        return Request(parts)

    def due_at(self) -> float | None:
        """When `take` is worth a call, for all that is known now; `None`: never."""
        times = [self._again[0][0]] if self._again else []
        if not (self._ordered and times):
            if self._requests:
                return float("-inf")
            if self._company:
                times.append(self._company_due_at)
        return min(times, default=None)

    def again(self, part: Part, due_at: float) -> None:
        """Have a part sent again, not before `due_at`. Rule 4."""
        insort(self._again, (due_at, next(self._numbers), part))

    def put_back(self, *requests: Request) -> None:
        """Have these sent next, as they are, in this order."""
        self._requests.extendleft(reversed(requests))

    def count(self) -> int:
        """How many documents wait."""
        waiting = [*self._requests, Request(self._company)]
        waiting.append(Request([part for _, _, part in self._again]))
        return sum(Request(_still_wanted(request.parts)).documents for request in waiting)

    def _take_again(self, now: float) -> list[Part]:
        parts: list[Part] = []
        size = 0
        while self._again and self._again[0][0] <= now:
            part = self._again[0][2]
            size += part.size
            if parts and size > self._bytes_max:
                break
            del self._again[0]
            parts += _still_wanted([part])
        return parts

    def _cut(self, batch: Batch, positions: range, size: int) -> Iterator[Request]:
        """Rule 2; a document that is too large by itself is a request by itself."""
        if size <= self._bytes_max:
            yield Request([Part(batch, positions)])
            return
        start = size = 0
        for position in positions:
            more = batch.size([position])
            if size + more > self._bytes_max and position > start:
                yield Request([Part(batch, range(start, position))])
                start, size = position, 0
            size += more
        yield Request([Part(batch, range(start, len(positions)))])


def _still_wanted(parts: list[Part]) -> list[Part]:
    return [part for part in parts if not part.batch.withdrawn]  # Rule 6
