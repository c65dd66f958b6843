"""Decides how large a request may be: what Elasticsearch takes, and what a proxy lets pass.

Pure: `now` is an argument, in seconds of any clock that only goes forward; the caller sends probes,
which are empty requests of a size in bytes.

A proxy may answer a request that is too large with 413, or break its connection without an answer.
An outage breaks connections too.

Rule 1: The limit that the cluster reports, or a 413 shows, holds for good.
Rule 2: The size of a request is at fault when it breaks the connection several times in a row, each
        time a probe of its size breaks too, and a small one is answered. In an outage none is.
Rule 3: A limit from broken connections may be wrong, since an outage can end between two probes, or
        stop only some servers behind a proxy. So it holds for a while. Then probes look for the
        largest size that passes, and no document is sent until one has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from connectors.elasticsearch.request import Request
from connectors.retry import Backoff

MIN_CUT_BYTES = 1024**2
"""Bytes: a smaller request is not too large for a proxy, whose default limit is 1 MiB or more
(nginx: 1 MiB). A connection that breaks breaks for another reason."""

SIGNS_TO_HALVE = 3
"""Signs in a row (rule 2) after which a request of several documents is halved."""

SIGNS_TO_REJECT = 5
"""Signs in a row after which a document that is alone is rejected."""

SEARCHES = Backoff(60.0, 3600.0)
"""Seconds until a limit is tried again. A search sends a few probes of some MiB: once an hour they
are no load."""

PRECISION = 8
"""A search ends when the sizes that pass and that do not differ by less than this part of them."""


def is_size_at_fault(request: Request, only_small: bool) -> bool:
    """Record that a request was refused as a whole, and return whether it is too large. Rule 2.

    `only_small`: the request broke the connection, a probe of its size too, and a small one was
    answered.
    """
    request.size_signs = request.size_signs + 1 if only_small else 0
    enough = SIGNS_TO_REJECT if request.documents == 1 else SIGNS_TO_HALVE
    return request.size_signs >= enough


class SizeLimit:
    """The size of the largest request, in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        """Size of the largest request now."""
        self._ceiling = max_bytes
        self._too_large = inf
        self._searches = 0
        self._search_at = inf

    def limit(self, max_bytes: int) -> bool:
        """Limit requests for good; return whether that is less than now. Rule 1."""
        self._ceiling = min(max_bytes, self._ceiling)
        lowered = max_bytes < self.max_bytes
        self.max_bytes = min(max_bytes, self.max_bytes)
        return lowered

    def lower(self, max_bytes: int, too_large: int, status: int | None, now: float) -> bool:
        """Limit requests, since one of `too_large` bytes is; return whether that is less than now.

        `status`: of the answer to that request; `None`: the connection broke.
        """
        if status is not None:
            return self.limit(max_bytes)
        lowered = max_bytes < self.max_bytes
        if lowered:
            self.max_bytes, self._too_large = max_bytes, too_large
            self._schedule(now)
        return lowered

    def stored(self, size: int) -> None:
        """Note that a request of this size was processed."""
        if size >= self._too_large:
            self._too_large, self._searches = inf, 0

    def starts_search(self, now: float) -> bool:
        """Return whether it is time to `search`, and then to call `end_search`. Rule 3."""
        due = now >= self._search_at
        if due:
            self._search_at = inf
        return due

    def search(self, passes: Callable[[int], bool]) -> int:
        """Return the largest size that passes."""
        low, high = self.max_bytes, self._ceiling
        if passes(high):
            return high
        while high - low > max(1, low // PRECISION):
            middle = (low + high) // 2
            low, high = (middle, high) if passes(middle) else (low, middle)
        return low

    def end_search(self, found: int, now: float) -> bool:
        """Allow requests of the size that a search has found; return whether that is more."""
        found = min(found, self._ceiling)
        raised = found > self.max_bytes
        self.max_bytes = max(found, self.max_bytes)
        if self.max_bytes < self._ceiling:
            self._schedule(now)
        return raised

    def _schedule(self, now: float) -> None:
        self._search_at = now + SEARCHES.delay(self._searches, 1.0)
        self._searches += 1
