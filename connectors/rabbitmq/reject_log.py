"""Decides what the log says of rejected messages: the first of each kind whole, then counts.

Pure: it writes nothing. Where there is no dead letter, the log is the only place that keeps a
reason.
"""

from __future__ import annotations

from connectors.message import Rejected
from connectors.reject_kind import kind_of

COUNT_AFTER = 60.0
"""Seconds between two lines with counts."""
FORGET_AFTER = 3600.0
"""Seconds without a rejection of a kind, after which the next one is told whole again."""


class RejectLog:
    """Of one consumer."""

    def __init__(self) -> None:
        self._seen_at: dict[str, float] = {}
        self._counts: dict[str, int] = {}  # since the last line
        self._counted_since = 0.0

    def kind_of(self, rejected: Rejected) -> str:
        """The kind of a rejection: one of those that are known, as long as there are not many."""
        return kind_of(rejected.rejection.reason, self._seen_at, len(self._seen_at))

    def note(self, kind: str, messages: int, now: float) -> bool:
        """Count messages that are rejected; return whether their reason is to be told whole."""
        is_first = kind not in self._seen_at
        self._seen_at[kind] = now
        if is_first:
            messages -= 1
        if messages:
            if not self._counts:
                self._counted_since = now
            self._counts[kind] = self._counts.get(kind, 0) + messages
        return is_first

    def due(self, now: float, *, everything: bool = False) -> list[tuple[str, int]]:
        """Kinds and how often they came since the last line, if it is time; the commonest first.

        `everything`: it is time, since this is the last line.
        """
        if not self._counts or not (everything or now - self._counted_since >= COUNT_AFTER):
            return []
        counts = sorted(self._counts.items(), key=lambda entry: -entry[1])
        self._counts = {}
        self._seen_at = {kind: at for kind, at in self._seen_at.items() if now - at < FORGET_AFTER}
        return counts


def whole(rejected: Rejected, message_id: str | None) -> str:
    """One rejection as an example: its reason, and what names the message and its document."""
    message, rejection, others = rejected
    places = {
        "status": rejection.status,
        "index": rejection.index,
        "_id": rejection.id,
        "message_id": message_id,
        "delivery tag": message.tag if message_id is None else None,
        "messages": 1 + len(others) if others else None,
    }
    told = [f"{name} {value}" for name, value in places.items() if value is not None]
    return f"{rejection.reason} ({', '.join(told)})"
