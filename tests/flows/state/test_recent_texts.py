"""Texts are remembered for a time, at most so many; a row is forgotten with its texts."""

from __future__ import annotations

import random

from flows.state.commit import Changes, Row, Table
from flows.state.recent_texts import RecentTexts


def texts(most: int = 100, seconds: float = 60.0) -> RecentTexts:
    return RecentTexts(Table.DISTINCT_VALUES, most, seconds)


def add(some: RecentTexts, number: int, now: float, *added: str) -> Changes:
    """Add texts in one commit."""
    for text in added:
        some.add(text, now)
    return some.changes(number, now)


def test_a_text_is_remembered_for_its_time() -> None:
    some = texts()
    some.add("a", 100.0)

    assert some.has("a", 159.9)
    assert not some.has("a", 160.0)
    assert not some.has("b", 100.0)


def test_a_row_is_forgotten_with_the_last_of_its_texts() -> None:
    some = texts()
    assert [number for number, _ in add(some, 1, 100.0, "a", "b").rows] == [1]
    assert add(some, 2, 130.0, "a") == Changes(add(texts(), 2, 130.0, "a").rows, [])
    assert some.has("a", 189.0)

    assert some.changes(3, 160.0) == Changes([], [1])
    assert some.changes(4, 190.0) == Changes([], [2])
    assert len(some) == 0


def test_the_oldest_text_is_forgotten_when_there_are_too_many() -> None:
    """Also before its commit."""
    some = texts(most=2)
    add(some, 1, 100.0, "a")
    some.add("b", 101.0)
    some.add("c", 101.0)
    some.add("d", 101.0)

    assert [some.has(text, 101.0) for text in "abcd"] == [False, False, True, True]
    assert some.forgotten == 2
    [row], gone = some.changes(2, 101.0)
    assert gone == [1]
    after = texts()
    after.restore([row])
    assert [after.has(text, 101.0) for text in "bcd"] == [False, True, True]


def test_the_next_process_remembers_the_same_texts() -> None:
    """After each of many commits that add and forget texts."""
    draw = random.Random(7)
    some, rows, now = texts(most=20, seconds=10.0), dict[int, bytes](), 100.0
    for number in range(1, 300):
        now += draw.choice([0.0, 0.5, 3.0])
        changes = add(some, number, now, *draw.choices("abcdefghijklmnopqrstuvwxyz", k=3))
        rows |= dict(changes.rows)
        for gone in changes.gone:
            del rows[gone]
        after = texts(most=20, seconds=10.0)
        after.restore(sorted(rows.items()))
        known = [text for text in "abcdefghijklmnopqrstuvwxyz" if some.has(text, now)]
        assert known == [t for t in "abcdefghijklmnopqrstuvwxyz" if after.has(t, now)]
        assert len(rows) <= len(some)


def test_what_was_forgotten_is_forgotten_in_the_next_process_too() -> None:
    """A row keeps the texts that others of its commit have outlived, until the next commit."""
    some = texts(most=2)
    rows: list[Row] = [*add(some, 1, 100.0, "a", "b").rows, *add(some, 2, 101.0, "c").rows]
    after = texts(most=2)
    after.restore(rows)

    assert [after.has(text, 101.0) for text in "abc"] == [False, True, True]
    assert len(after) == 2
