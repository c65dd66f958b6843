"""Decides whether too many messages are rejected: then the spec or the mapping is wrong, not they.

Pure. Messages are counted in the order in which they were read, so a good message that waits in a
window or at the sink counts beside a bad one that is rejected at once.

Rule 1: of `of` messages read in a row, more than `rejected` are rejected for one kind of reason.
Rule 2: or for several kinds, and more than halfway between `rejected` and `of`.
Rule 3: or a slow stream: the last `MIN_RUN` messages that have an outcome are all rejected, for
        `MIN_RUN_SECONDS` nothing was stored, and of all that is in flight no larger share can still
        be stored than the limit allows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from connectors.rabbitmq.spec import RejectLimit

MIN_RUN = 20
"""Messages: ten an hour tell within two hours that none is stored."""
MIN_RUN_SECONDS = 10.0
"""Bad messages come in bursts; a stream that is not slow stores something meanwhile."""


class RejectCounter:
    """Counts the messages of one consumer, over all of its connections."""

    def __init__(self, limit: RejectLimit) -> None:
        self._limit = limit
        self._base = self._read = 0  # messages of earlier connections; of all
        self._of_kind: dict[str, _Positions] = {}
        self._of_any = _Positions((limit.rejected + limit.of) // 2, limit.of)
        self._run, self._run_began = 0, 0.0

    def connected(self) -> None:
        """Delivery tags count from 1 again."""
        self._base = self._read

    def read(self, last_tag: int) -> None:
        """Messages up to this tag have arrived."""
        self._read = self._base + last_tag

    def passed(self) -> None:
        """At least one message is stored or dropped, or rejected as the spec foresees it."""
        self._run = 0

    def rejected(self, kind: str, tags: Sequence[int], now: float) -> bool:
        """Count messages that are rejected together; return whether that is too many by now."""
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

    def stands_still(self, awaiting_outcome: int, now: float) -> bool:
        """Whether nothing but rejections comes; `awaiting_outcome` are in flight. Rule 3."""
        run, limit = self._run, self._limit
        return (
            run >= MIN_RUN
            and now - self._run_began >= MIN_RUN_SECONDS
            and run * limit.of > (run + awaiting_outcome) * limit.rejected
        )

    def clear(self) -> None:
        """Count anew."""
        self._of_kind.clear()
        self._of_any.clear()
        self._run = 0


class _Positions:
    """Where among all messages the rejected ones are, in order: the last `2 * of` of them."""

    def __init__(self, most: int, of: int) -> None:
        self._most, self._of = most, of
        self._sorted: list[int] = []

    def add(self, position: int) -> bool:
        """Return whether more than `most` of `of` messages in a row are rejected, this among them.

        Rejections come in the order of their messages, but for a few: so one comparison is enough.
        """
        found, most = self._sorted, self._most
        at = bisect_right(found, position)
        found.insert(at, position)
        begin, end = max(0, at - most), min(at, len(found) - 1 - most)
        too_many = any(
            found[first + most] - found[first] < self._of for first in range(begin, end + 1)
        )
        if len(found) > 2 * self._of:
            del found[0]
        return too_many

    def clear(self) -> None:
        """There are none."""
        self._sorted.clear()
