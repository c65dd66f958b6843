"""Packs the rows of a table in blocks, one for each commit, and decides which blocks stay.

Pure. A row that changes is written again in the next block, and what an earlier block has under its
number is outdated. So a commit writes one piece; with a place of its own for each row it would
change a page for each, all over the file.

Rule 1: the last row of a number counts, unless a later block says that it is gone.
Rule 2: the first block is removed when none of its rows counts, and no other one is. So no row
        returns because the block that says that it is gone was removed before the row.
Rule 3: when less than `USED_SHARE` of the bytes count, the rows of the first block that count are
        written again: in a commit at most as many as change, or `AT_LEAST`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from flows.state.commit import Changes, Row, Table
from flows.state.rows import decoded, encoded

USED_SHARE, SMALL = 0.6, 100_000
"""The share of the bytes that count; of fewer bytes than `SMALL`, any share. If rows change at
random, one row is written again for two that change."""
AT_LEAST = 500
"""Rows that a commit may write again."""


class KeptRow(Protocol):
    """What is a row of the state, such as an open group."""

    row: int
    """Its number; 0: it has none yet."""
    block: RowBlock | None
    """The block that has its latest row."""

    @property
    def table(self) -> Table:
        """The table with its block."""

    def content(self) -> tuple[Any, ...]:
        """Return what is stored of it, beside its number; as many values as all rows have."""


class MembersRow(KeptRow, Protocol):
    """An open group whose members are rows of their own."""

    def take_new_members(self) -> bytes:
        """Return the members since the last call."""


OneRow = TypeVar("OneRow", bound=KeptRow)


NumberedContent = tuple[int, tuple[Any, ...]]
"""The number of a row, and what is stored of it."""


class RowBlock:
    """A block of the state."""

    __slots__ = ("bytes_each", "count", "number", "rows", "size")

    def __init__(self, number: int, size: int, rows: int) -> None:
        self.number, self.size, self.count = number, size, 0
        self.bytes_each = size / max(1, rows)
        self.rows: list[KeptRow] = []
        """Those that count, of which `count` says how many, and others that have counted."""

    def add(self, row: KeptRow) -> None:
        """Note that it has the latest row."""
        row.block = self
        self.rows.append(row)
        self.count += 1


def read_blocks(stored: Sequence[Row]) -> Iterator[tuple[RowBlock, list[NumberedContent]]]:
    """Return each block, the last one first, with its rows that count. Rule 1.

    So no row is read that does not count, and not all blocks are in memory at once.
    """
    later = set[int]()
    for number, packed in reversed(stored):
        numbers, columns, gone = decoded(packed)
        later.update(gone)
        contents = zip(numbers, zip(*columns, strict=True), strict=True)
        rows = [row for row in contents if row[0] not in later]
        later.update(numbers)
        yield RowBlock(number, len(packed), len(numbers)), rows


class Blocks:
    """The blocks of one table of a shard."""

    def __init__(self) -> None:
        self._blocks: deque[RowBlock] = deque()
        self._size = self._used = 0.0  # bytes of all blocks, and of the rows that count
        self._gone: list[int] = []

    @property
    def has_gone(self) -> bool:
        """Whether a row is gone since the last commit."""
        return bool(self._gone)

    def gone(self, row: KeptRow) -> None:
        """Note that a row is no longer needed."""
        if self._outdate(row):
            self._gone.append(row.row)

    def changes(self, number: int, changed: Collection[KeptRow]) -> Changes:
        """Return what the commit of this number adds, and which blocks it removes.

        `changed`: rows that are new or have changed; each has a number.
        """
        used, rows = self._used, [*changed]
        for row in rows:
            self._outdate(row)
        removed = self._removed()
        most = max(AT_LEAST, len(rows))
        while used < USED_SHARE * self._size > SMALL and most > 0:  # Rule 3
            again = self._taken(most)
            rows += again
            most -= len(again)
            removed += self._removed()
        gone, self._gone = self._gone, []
        if not rows and not (gone and self._blocks):
            return Changes(gone=removed)
        numbers = [row.row for row in rows]
        columns = [*zip(*(row.content() for row in rows), strict=True)]
        stored = encoded((numbers, columns, gone))
        self._append(RowBlock(number, len(stored), len(rows)), rows)
        return Changes([(number, stored)], removed)

    def restore(
        self, stored: Sequence[Row], make: Callable[[int, tuple[Any, ...]], OneRow]
    ) -> list[OneRow]:
        """Continue with the blocks of an earlier process; return the rows that count, by number.

        `make(number, content)` makes a row again.
        """
        read = [
            (block, [make(number, content) for number, content in rows])
            for block, rows in read_blocks(stored)
        ]
        for block, rows in reversed(read):
            self._append(block, rows)
        return sorted((row for _, rows in read for row in rows), key=attrgetter("row"))

    def _append(self, block: RowBlock, rows: Sequence[KeptRow]) -> None:
        for row in rows:
            block.add(row)
        self._blocks.append(block)
        self._size += block.size
        self._used += block.bytes_each * len(rows)

    def _outdate(self, row: KeptRow) -> bool:
        """Note that the latest row does not count any more; return whether there is one."""
        block, row.block = row.block, None
        if block is None:
            return False
        block.count -= 1
        self._used -= block.bytes_each
        return True

    def _taken(self, most: int) -> list[KeptRow]:
        """Take rows that count out of the first block, to write them again."""
        first, taken = self._blocks[0], list[KeptRow]()
        while first.rows and len(taken) < most:
            row = first.rows.pop()
            if row.block is first:
                self._outdate(row)
                taken.append(row)
        return taken

    def _removed(self) -> list[int]:
        """Remove the first blocks without rows that count; return their numbers. Rule 2."""
        removed = []
        while self._blocks and not self._blocks[0].count:
            first = self._blocks.popleft()
            self._size -= first.size
            removed.append(first.number)
        return removed
