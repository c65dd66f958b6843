"""Blows when too many messages are rejected: then the spec or the mapping is wrong, not they.

Pure: it counts outcomes and decides, and stops nobody. Once blown it stays so.
"""

from __future__ import annotations

import re
from collections import Counter, deque

from connectors.rabbitmq.spec import RejectLimit


class Fuse:
    """Remembers the last outcomes, as runs of the same kind: most of the time there is one."""

    def __init__(self, limit: RejectLimit | None) -> None:
        """Without a limit it never blows."""
        self._limit = limit
        self._runs: deque[tuple[str | None, int]] = deque()  # a reason, or stored; how many
        self._outcomes = 0  # in all of them
        self._reasons: Counter[str] = Counter()
        self._rejected = 0
        self.blown = False
        """Nothing may be rejected any more."""

    def stored(self, count: int) -> None:
        """Messages have found their place."""
        self._add(None, count)

    def rejected(self, reason: str) -> None:
        """A message never will; look at `blown` before it is parked."""
        if self._limit is not None and not self.blown:
            self._add(_VARYING.sub("…", reason)[:_REASON_LENGTH], 1)
            self.blown = self._rejected > self._limit.rejected

    @property
    def commonest(self) -> str:
        """The reason that was given most often, and how often."""
        [(reason, count)] = self._reasons.most_common(1)
        return f"{reason} ({count} times)"

    def _add(self, reason: str | None, count: int) -> None:
        if self._limit is None or self.blown or not count:
            return
        self._count(reason, count)
        if self._runs and self._runs[-1][0] == reason:
            count += self._runs.pop()[1]
        self._runs.append((reason, count))
        self._forget(self._outcomes - self._limit.of)

    def _forget(self, surplus: int) -> None:
        while surplus > 0:
            reason, count = self._runs.popleft()
            gone = min(count, surplus)
            self._count(reason, -gone)
            if gone < count:
                self._runs.appendleft((reason, count - gone))
            surplus -= gone

    def _count(self, reason: str | None, count: int) -> None:
        self._outcomes += count
        if reason is not None:
            self._rejected += count
            self._reasons[reason] += count
            if not self._reasons[reason]:
                del self._reasons[reason]


_VARYING = re.compile(r"'[^']*'|[0-9]+")
"""What differs from message to message in a reason: texts in quotes, and numbers."""
_REASON_LENGTH = 200
"""Characters that are compared and shown."""
