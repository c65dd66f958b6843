"""Decides when refused groups are withheld, because so many are that the mapping must be wrong.

Pure. It is for the groups of a state: their messages have left the queue, so a consumer that stops
(`connectors/rabbitmq/circuit_breaker.py`) keeps none of them from being dead-lettered. A withheld
group stays in the state, and is sent to the sink again. All shards of a process count together:
else a key whose groups are always refused could stop a shard that has no other.

Rule 1: the limit is reached when more than `rejected` of the last `of` groups are refused; or when
        the last `MIN_RUN` are, over `MIN_RUN_SECONDS` or longer. A group of which something is
        stored is not refused.
Rule 2: from then on refused groups are withheld, also the one that reaches the limit.
Rule 3: after a pause the oldest of them is sent again, as a probe. If it is refused again, it is
        withheld again, behind the others, and the next pause is twice as long.
Rule 4: once any group is stored, all that are withheld are sent again, and counting begins anew.
"""

from __future__ import annotations

from collections import Counter, deque

from connectors.message import Answer, Rejection
from connectors.reject_pace import FIRST_PAUSE, MAX_PAUSE, MIN_RUN, MIN_RUN_SECONDS


class RefusedGroups:
    """The refused groups of a process, by shard and number."""

    def __init__(self, rejected: int, of: int) -> None:
        """`rejected`, `of`: groups (rule 1)."""
        self._rejected = rejected
        self._last = deque[bool](maxlen=of)  # whether each was refused
        self._refused = self._run = 0  # of them; and without one in between that is stored
        self._run_began = 0.0
        self._withheld: dict[tuple[int, int], None] = {}  # ordered
        self._again: dict[int, list[int]] = {}  # to be sent again, by shard
        self._of_shard = Counter[int]()  # both
        self._probe: tuple[int, int] | None = None
        self.pause = self._resume_at = 0.0
        self.because = ""
        """Why groups are withheld; empty: none is. From any thread."""

    def withheld(self, shard: int) -> int:
        """Return how many groups of a shard are withheld now."""
        return self._of_shard[shard]

    def answered(self, shard: int, number: int, refused: Rejection | None, now: float) -> bool:
        """Note what the sink has answered about a group; return whether to withhold it."""
        if refused is None:
            self._stored()
            return False
        if not self.because and not self._is_reached(now):
            return False
        group = shard, number
        if group == self._probe:
            self._probe, self.pause = None, min(2 * self.pause, MAX_PAUSE)  # Rule 3
            self._resume_at = now + self.pause
        elif not self.because:
            self.pause, self._resume_at = FIRST_PAUSE, now + FIRST_PAUSE
            self.because = f"too many groups are refused, for example: {refused.reason}"
        self._withheld[group] = None  # Rule 2
        self._of_shard[shard] += 1
        return True

    def due(self, shard: int, now: float) -> list[int]:
        """Take the groups of a shard that are to be sent again now."""
        if self._withheld and self._probe is None and now >= self._resume_at:
            oldest = next(iter(self._withheld))
            if oldest[0] == shard:
                self._probe = oldest
                self._send_again(oldest)
        due = self._again.pop(shard, [])
        self._of_shard[shard] -= len(due)
        return due

    def _stored(self) -> None:
        self._run = 0
        if self.because:  # Rule 4
            for group in [*self._withheld]:
                self._send_again(group)
            self._last.clear()
            self._refused, self._probe, self.because = 0, None, ""
        self._count(refused=False)

    def _send_again(self, group: tuple[int, int]) -> None:
        del self._withheld[group]
        self._again.setdefault(group[0], []).append(group[1])

    def _is_reached(self, now: float) -> bool:
        """Count a refused group. Rule 1."""
        self._run_began = self._run_began if self._run else now
        self._run += 1
        self._count(refused=True)
        slow = self._run >= MIN_RUN and now - self._run_began >= MIN_RUN_SECONDS
        return slow or self._refused > self._rejected

    def _count(self, *, refused: bool) -> None:
        if len(self._last) == self._last.maxlen:
            self._refused -= self._last[0]
        self._last.append(refused)
        self._refused += refused


def refusal(answer: Answer, documents: int) -> Rejection | None:
    """Return why the sink refuses a whole group of so many documents; `None`: it does not."""
    rejections = [rejection for _, rejection in answer.rejected]
    whole = len(rejections) == documents and not any(
        rejection.foreseen or rejection.status is None for rejection in rejections
    )
    return rejections[0] if whole and rejections else None
