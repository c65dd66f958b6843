"""Decides which lines of the log are left out, because too many of their kind were written.

Pure: `log.py` asks, and the times are arguments.

Rule 1: of each kind, at most `MAX_LINES` lines are written within `PERIOD`; the rest is left out.
Rule 2: how many were left out is reported once, at the end of the period.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

MAX_LINES = 60
PERIOD = 60.0
"""Seconds that the lines of a kind are counted together."""

Kind = TypeVar("Kind", bound=Hashable)


class LeftOut(NamedTuple, Generic[Kind]):
    """What a period has left out of one kind."""

    kind: Kind
    lines: int


class LogLimit(Generic[Kind]):
    """The lines of each kind in its present period."""

    def __init__(self, max_lines: int = MAX_LINES, period: float = PERIOD) -> None:
        self._max_lines, self._period = max_lines, period
        self._periods: dict[Kind, tuple[float, int]] = {}

    def admit(self, kind: Kind, now: float) -> bool:
        """Count one line; return whether it is written. Rule 1. Ask `ended` first.

        `now`: in seconds of a clock that only goes forward.
        """
        began, lines = self._periods.get(kind, (now, 0))
        self._periods[kind] = began, lines + 1
        return lines < self._max_lines

    def ended(self, now: float) -> Iterator[LeftOut[Kind]]:
        """Forget the periods that have ended; return what they have left out. Rule 2."""
        for kind, (began, lines) in [*self._periods.items()]:
            if now >= began + self._period:
                del self._periods[kind]
                if lines > self._max_lines:
                    yield LeftOut(kind, lines - self._max_lines)
