"""Groups dead letters by the kind of their reason.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from connectors.rabbitmq.dead_letter_record import DeadLetter


class Kind(msgspec.Struct):
    """Dead letters whose reasons differ only in ids, numbers and quoted texts."""

    kind: str
    count: int
    oldest: datetime | None
    """When it was dead-lettered; null: unknown."""
    newest: datetime | None
    indices: list[str]
    """The indices of the documents."""
    replayed: int
    """Number of messages that were replayed before, and rejected again."""


class Kinds:
    """The kinds of all dead letters that are added."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self.most_deliveries = 0
        """The largest number of deliveries of one message, by the dead-letter queue."""

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Add dead letters to their kinds."""
        for letter in letters:
            kind = self._kinds.setdefault(
                letter.kind, Kind(letter.kind, 0, letter.time, letter.time, [], 0)
            )
            kind.count += 1
            kind.replayed += letter.replays > 0
            if letter.time is not None:
                kind.oldest = min(kind.oldest or letter.time, letter.time)
                kind.newest = max(kind.newest or letter.time, letter.time)
            if letter.index is not None and letter.index not in kind.indices:
                kind.indices.append(letter.index)
            self.most_deliveries = max(self.most_deliveries, letter.deliveries)

    def sorted(self) -> list[Kind]:
        """Return the kinds, the most frequent first."""
        return sorted(self._kinds.values(), key=lambda one: -one.count)
