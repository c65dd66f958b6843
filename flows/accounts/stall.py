"""Tells whether a consumer is silent since we keep it waiting, and not since its queue is empty.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Event time waits for a source partition until it has been silent for `idle_after`. While the sink is
away that silence says nothing: what is in the queue has still to come, and would be late.

Rule 1: A consumer without a connection is kept waiting.
Rule 2: So is one that holds all that it may, while documents wait and the sink says nothing at all.
        As long as the sink answers anything, what a full consumer waits for is that windows end:
        then its silence must count, or it would wait for itself.
"""

from __future__ import annotations

from flows.accounts.books import Books
from flows.accounts.conservation import ConsumerAccount

SILENT_AFTER_MOST = 5.0
"""Seconds. No request takes as long, unless Elasticsearch is away or overloaded."""


class Stall:
    """The sink as the consumers of one process see it."""

    def __init__(self, books: Books, prefetch: int, idle_after: float) -> None:
        """`idle_after` in seconds; `prefetch` is the most that one consumer may hold."""
        self._books, self._prefetch = books, prefetch
        self.looks_after = idle_after / 10
        """Seconds between two looks."""
        self._silent_after = min(SILENT_AFTER_MOST, idle_after / 2)
        self._answered, self._answered_at = -1, 0.0

    def keeps(self, account: ConsumerAccount, unsettled: int, now: float) -> bool:
        """Whether the consumer of that account is kept waiting."""
        sink = self._books.sink
        if sink.left != self._answered or not sink.open:
            self._answered, self._answered_at = sink.left, now
        silent = now - self._answered_at >= self._silent_after
        return not account.connected or (unsettled >= self._prefetch and silent)  # Rules 1 and 2
