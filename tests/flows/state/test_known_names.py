"""Names are remembered as long as their messages may be redelivered, within a bound."""

from __future__ import annotations

from flows.state.commit import Changes
from flows.state.known_names import INDEXED_FOR, MOST_PINNED, NOTICED_WITHIN, PINNED_FOR, KnownNames


def add(known: KnownNames, number: int, names: list[str], now: float = 0.0) -> Changes:
    """Remember the names of a commit."""
    for name in names:
        known.add(name)
    return known.changes(number, now)


def names(first: int, last: int) -> list[str]:
    return [f"m{n}" for n in range(first, last + 1)]


def test_the_last_names_are_known_and_the_others_are_forgotten() -> None:
    known = KnownNames(4)
    forgotten = [add(known, number, names(2 * number - 1, 2 * number)).gone for number in (1, 2, 3)]

    assert forgotten == [[], [], [1]]
    assert "m1" not in known
    assert all(f"m{n}" in known for n in (3, 4, 5, 6))
    assert len(known) == 4


def test_a_name_is_known_before_its_commit() -> None:
    known = KnownNames(4)
    known.add("m1")

    assert "m1" in known
    assert "m2" not in known


def test_a_name_of_two_commits_is_known_as_long_as_the_later_one() -> None:
    known = KnownNames(2)
    add(known, 1, ["m1", "m2"])
    assert "m2" in known

    assert add(known, 2, ["m2", "m3"]).gone == [1]
    assert "m1" not in known
    assert "m2" in known


def test_after_a_lost_connection_more_names_are_known_for_some_time() -> None:
    known = KnownNames(1)
    known.pin(now=100.0)
    forgotten = [add(known, number, [f"m{number}"], 101.0).gone for number in range(1, 20)]

    assert sum(map(len, forgotten)) == 19 - MOST_PINNED
    assert known.forgotten == 19 - MOST_PINNED  # they might still be needed
    assert len(add(known, 20, ["m20"], 100.0 + NOTICED_WITHIN).gone) == 1  # the broker has noticed
    assert len(known.changes(21, now=100.0 + PINNED_FOR).gone) == MOST_PINNED - 1
    assert known.forgotten == 19 - MOST_PINNED


def test_the_index_is_built_again_when_it_is_needed_again() -> None:
    known = KnownNames(10)
    add(known, 1, ["m1"])
    assert "m1" in known
    known.changes(2, now=0.0)
    known.changes(3, now=INDEXED_FOR + 1)
    add(known, 4, ["m2"], INDEXED_FOR + 1)

    assert "m1" in known
    assert "m2" in known
    assert "m3" not in known


def test_recovered_names_are_known() -> None:
    rows = add(KnownNames(10), 7, ["m1", "m2"]).rows
    known = KnownNames(10)
    known.restore(rows)

    assert "m2" in known
    assert len(known) == 2
