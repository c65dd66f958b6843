"""Remembers texts that the state has: distinct values of messages, keys of complete groups.

Pure. The texts of one commit are one row, so a commit costs what has changed; a row is forgotten
when all of its texts are.

Rule 1: a text is remembered for `seconds` after it was added; if it is added again, from then on.
Rule 2: if there are more than `most` texts, the one that was added first is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from flows.state.commit import Changes, Row, Table
from flows.state.rows import decoded, encoded


class _Block:
    """The texts of one commit."""

    __slots__ = ("number", "texts")

    def __init__(self, number: int = 0) -> None:
        self.number, self.texts = number, 0
        """Number of the commit, 0 before it; how many of its texts are remembered."""


class _Added(NamedTuple):
    """When a text was added, and in which block; the texts of a batch share it."""

    at: float
    block: _Block


class RecentTexts:
    """Texts in the order in which they were added."""

    def __init__(self, table: Table, most: int, seconds: float = inf) -> None:
        """`table`: has a row for each commit with new texts."""
        self.table = table
        self.forgotten = 0
        """Number of texts that were forgotten early. Rule 2."""
        self._most, self._seconds = most, seconds
        self._texts: OrderedDict[str | None, _Added] = OrderedDict()
        self._new: dict[str | None, float] = {}
        """Texts since the last commit, with the times at which they were added."""
        self._added = _Added(-inf, _Block())
        self._gone: list[int] = []
        """Numbers of blocks without texts, since the last commit."""

    def __len__(self) -> int:
        """Return the number of texts that are remembered."""
        return len(self._texts)

    def has(self, text: str | None, now: float) -> bool:
        """Return whether a text is remembered. Rule 1."""
        found = self._texts.get(text)
        return found is not None and now < found.at + self._seconds

    def add(self, text: str | None, now: float) -> None:
        """Remember a text, with the next commit."""
        self._expire(now)
        if self._added.at != now:
            self._added = _Added(now, self._added.block)
        self._put(text, self._added)
        self._new[text] = now

    def changes(self, number: int, now: float) -> Changes:
        """See `Remembered`."""
        self._expire(now)
        rows: list[Row] = []
        if self._new:
            rows.append((number, encoded(self._new)))
            self._added.block.number = number
            self._added, self._new = _Added(-inf, _Block()), {}
        gone, self._gone = self._gone, []
        return Changes(rows, gone)

    def restore(self, rows: Sequence[Row]) -> None:
        """See `Remembered`."""
        for number, stored in rows:
            block = _Block(number)
            for text, at in decoded(stored).items():
                self._put(text, _Added(at, block))

    def _put(self, text: str | None, added: _Added) -> None:
        self._remove(text)
        self._texts[text] = added
        added.block.texts += 1
        while len(self._texts) > self._most:
            self.forgotten += 1
            self._remove(next(iter(self._texts)))

    def _expire(self, now: float) -> None:
        texts = self._texts
        while texts and next(iter(texts.values())).at + self._seconds <= now:
            self._remove(next(iter(texts)))

    def _remove(self, text: str | None) -> None:
        added = self._texts.pop(text, None)
        if added is None:
            return
        block = added.block
        block.texts -= 1
        if not block.number:
            del self._new[text]
        elif not block.texts:
            self._gone.append(block.number)
