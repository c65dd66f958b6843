"""Decides whether so many messages are rejected that the spec or the mapping must be wrong.

Pure. It counts messages in the order in which they were read, so a good message that waits in a
window or at the sink counts beside a bad one that is rejected at once. The limit is reached when

Rule 1: of `of` consecutive messages, more than `rejected` are rejected for one kind of reason;
Rule 2: or more than halfway between `rejected` and `of`, for any reasons;
Rule 3: or, of a slow stream, the last `MIN_RUN` outcomes are all rejections, nothing was stored for
        `MIN_RUN_SECONDS`, and even if all messages in flight are stored, the share of rejections
        stays above the limit. Each connection begins a new run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from connectors.rabbitmq.spec import RejectLimit
from connectors.reject_pace import MIN_RUN, MIN_RUN_SECONDS


class RejectCounter:
    """Counts the messages of one consumer, over all of its connections."""

    def __init__(self, limit: RejectLimit) -> None:
        self._limit = limit
        self._base = self._read = 0  # messages of earlier connections; of all
        self._of_kind: dict[str, _Positions] = {}
        self._of_any = _Positions((limit.rejected + limit.of) // 2, limit.of)
        self._run, self._run_began = 0, 0.0

    def connected(self) -> None:
        """Note a new connection: its delivery tags count from 1, and nothing is in flight yet."""
        self._base = self._read
        self._run = 0

    def read(self, last_tag: int) -> None:
        """Note that messages up to this delivery tag have arrived."""
        self._read = self._base + last_tag

    def passed(self) -> None:
        """Note that a message is stored, dropped, or rejected as foreseen."""
        self._run = 0

    def rejected(self, kind: str, tags: Sequence[int], now: float) -> bool:
        """Count messages that are rejected together; return whether the limit is reached."""
        self._run_began = self._run_began if self._run else now
        self._run += len(tags)
        of_kind = self._of_kind.get(kind)
        if of_kind is None:
            limit = self._limit
            of_kind = self._of_kind[kind] = _Positions(limit.rejected, limit.of)
        found = False
        for tag in tags:
            found |= of_kind.add(self._base + tag)  # Rule 1
            found |= self._of_any.add(self._base + tag)  # Rule 2
        return found

    def is_all_rejected(self, awaiting_outcome: int, now: float) -> bool:
        """Return whether rule 3 applies, with `awaiting_outcome` messages in flight."""
        run, limit = self._run, self._limit
        return (
            run >= MIN_RUN
            and now - self._run_began >= MIN_RUN_SECONDS
            and run * limit.of > (run + awaiting_outcome) * limit.rejected
        )

    def clear(self) -> None:
        """Forget all rejections."""
        self._of_kind.clear()
        self._of_any.clear()
        self._run = 0


class _Positions:
    """Positions of rejected messages among all messages, sorted: the last `2 * of`."""

    def __init__(self, limit: int, of: int) -> None:
        self._limit, self._of = limit, of
        self._sorted: list[int] = []

    def add(self, position: int) -> bool:
        """Return whether more than `limit` of `of` consecutive messages, with this, are rejected.

        Rejections come nearly in the order of their messages, so few comparisons are needed.
        """
        found, limit = self._sorted, self._limit
        at = bisect_right(found, position)
        found.insert(at, position)
        begin, end = max(0, at - limit), min(at, len(found) - 1 - limit)
        too_many = any(
            found[first + limit] - found[first] < self._of for first in range(begin, end + 1)
        )
        if len(found) > 2 * self._of:
            del found[0]
        return too_many

    def clear(self) -> None:
        """Forget all positions."""
        self._sorted.clear()
