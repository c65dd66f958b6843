"""Decides what to log about rejected messages: the first of each kind in full, then counts.

Pure: it writes nothing. Without a dead letter, only the log keeps the reasons.
"""

from __future__ import annotations

from connectors.message import Rejected
from connectors.reject_kind import kind_of

COUNT_AFTER = 60.0
"""Seconds between two lines with counts."""
FORGET_AFTER = 3600.0
"""Seconds without a rejection of a kind, after which the next one is logged in full again."""


class RejectLog:
    """The kinds of rejections that one consumer has logged, and their counts."""

    def __init__(self) -> None:
        self._seen_at: dict[str, float] = {}
        self._counts: dict[str, int] = {}  # since the last line
        self._counted_since = 0.0

    def kind_of(self, rejected: Rejected) -> str:
        """Return the kind of a rejection; see `reject_kind`: the number of kinds is limited."""
        return kind_of(rejected.rejection.reason, self._seen_at, len(self._seen_at))

    def note(self, kind: str, messages: int, now: float) -> bool:
        """Count rejected messages; return whether to log their reason in full."""
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
        """Return kinds with their counts since the last line, if it is due; the commonest first.

        `everything`: it is due in any case.
        """
        if not self._counts or not (everything or now - self._counted_since >= COUNT_AFTER):
            return []
        counts = sorted(self._counts.items(), key=lambda entry: -entry[1])
        self._counts = {}
        self._seen_at = {kind: at for kind, at in self._seen_at.items() if now - at < FORGET_AFTER}
        return counts


def describe(rejected: Rejected, message_id: str | None) -> str:
    """Describe one rejection: its reason, and what identifies the message and its document."""
    message, rejection, others = rejected
    details = {
        "status": rejection.status,
        "index": rejection.index,
        "_id": rejection.id,
        "message_id": message_id,
        "delivery tag": message.tag if message_id is None else None,
        "messages": 1 + len(others) if others else None,
    }
    texts = [f"{name} {value}" for name, value in details.items() if value is not None]
    return f"{rejection.reason} ({', '.join(texts)})"
