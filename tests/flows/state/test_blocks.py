"""The blocks of open groups: after any history, a restart finds exactly what is open."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flows.state.blocks import SMALL, Blocks, RowBlock
from flows.state.commit import Changes, Table


class OpenRow:
    """An open row with a value."""

    table = Table.GROUPS

    def __init__(self, number: int, value: Any) -> None:
        self.row, self.value = number, value
        self.block: RowBlock | None = None

    def content(self) -> tuple[Any]:
        return (self.value,)


class StoredBlocks:
    """Blocks, and the table in which they are stored."""

    def __init__(self) -> None:
        self.blocks, self.number, self.last_row = Blocks(), 0, 0
        self.open: dict[int, OpenRow] = {}
        self.stored: dict[int, bytes] = {}

    def opened(self, value: Any) -> OpenRow:
        self.last_row += 1
        self.open[self.last_row] = one = OpenRow(self.last_row, value)
        return one

    def commit(self, *changed: OpenRow) -> Changes:
        self.number += 1
        changes = self.blocks.changes(self.number, changed)
        self.stored |= dict(changes.rows)
        for number in changes.gone:
            del self.stored[number]
        return changes

    def close(self, number: int) -> None:
        self.blocks.gone(self.open.pop(number))

    def restart(self) -> None:
        self.blocks, self.open = Blocks(), {}
        self.blocks.restore(sorted(self.stored.items()), self._made)

    def _made(self, number: int, content: tuple[Any, ...]) -> OpenRow:
        self.open[number] = one = OpenRow(number, *content)
        return one

    def values(self) -> dict[int, Any]:
        return {number: one.value for number, one in self.open.items()}


Steps = st.lists(
    st.tuples(st.sampled_from(["open", "change", "close", "restart"]), st.integers(0, 10**6)),
    max_size=60,
)


@given(Steps, st.sampled_from([1, 30_000]))
def test_a_restart_finds_what_is_open_and_nothing_else(
    steps: list[tuple[str, int]], size: int
) -> None:
    """Large rows are written again, small ones never."""
    some = StoredBlocks()
    for step, draw in steps:
        numbers = sorted(some.open)
        chosen = numbers[draw % len(numbers)] if numbers else None
        if step == "open":
            some.commit(*(some.opened(f"{draw}" + "x" * size) for _ in range(1 + draw % 4)))
        elif step == "change" and chosen is not None:
            some.open[chosen].value += f"{draw}"
            some.commit(some.open[chosen])
        elif step == "close" and chosen is not None:
            some.close(chosen)
            some.commit()
        elif step == "restart":
            before = some.values()
            some.restart()
            assert some.values() == before
    before = some.values()
    some.restart()
    assert some.values() == before


def test_a_row_that_is_not_written_yet_leaves_no_trace() -> None:
    some = StoredBlocks()
    some.close(some.opened("a").row)

    assert not some.blocks.has_gone
    assert some.commit() == Changes(gone=[])


def test_blocks_without_open_groups_are_removed() -> None:
    """The last end needs no block: no earlier one has its row."""
    some = StoredBlocks()
    first, second = some.opened("a"), some.opened("b")
    some.commit(first)
    some.commit(second)
    some.close(first.row)
    assert some.blocks.has_gone
    assert some.commit().gone == [1]
    some.close(second.row)
    changes = some.commit()

    assert (changes.rows, changes.gone) == ((), [2, 3])
    assert some.stored == {}


def test_the_bytes_stay_below_twice_what_is_open() -> None:
    """Rows change at random; a commit never writes many more than have changed."""
    draw, some = random.Random(1), StoredBlocks()
    rows = [some.opened("x" * 100) for _ in range(10_000)]
    some.commit(*rows)
    written = changed = 0
    for _ in range(300):
        chosen = draw.sample(rows, 200)
        before = sum(map(len, some.stored.values()))
        changes = some.commit(*chosen)
        written += len(changes.rows[0][1])
        changed += 200 * 110
        assert written - changed < before
    total = sum(map(len, some.stored.values()))

    assert SMALL < total < 2 * 10_000 * 110
    assert written < 2 * changed
