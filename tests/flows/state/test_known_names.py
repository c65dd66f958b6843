"""Names are remembered as long as their messages may be redelivered, within a bound."""

from __future__ import annotations

from flows.state.known_names import INDEXED_FOR, MOST_PINNED, PINNED_FOR, KnownNames


def names(first: int, last: int) -> list[str]:
    return [f"m{n}" for n in range(first, last + 1)]


def test_the_last_names_are_known_and_the_others_are_forgotten() -> None:
    known = KnownNames(4)
    for number in (1, 2, 3):
        known.add(number, names(2 * number - 1, 2 * number))

    assert "m1" in known
    assert known.forget(now=0.0) == [1]
    assert "m1" not in known
    assert all(f"m{n}" in known for n in (3, 4, 5, 6))
    assert len(known) == 4


def test_a_name_of_two_commits_is_known_as_long_as_the_later_one() -> None:
    known = KnownNames(2)
    known.add(1, ["m1", "m2"])
    known.add(2, ["m2", "m3"])

    assert "m2" in known
    assert known.forget(now=0.0) == [1]
    assert "m2" in known


def test_after_a_lost_connection_more_names_are_known_for_some_time() -> None:
    known = KnownNames(1)
    known.pin(now=100.0)
    for number in range(1, 20):
        known.add(number, [f"m{number}"])

    assert len(known.forget(now=101.0)) == 19 - MOST_PINNED
    assert len(known.forget(now=101.0 + PINNED_FOR)) == MOST_PINNED - 1


def test_the_index_is_built_again_when_it_is_needed_again() -> None:
    known = KnownNames(10)
    known.add(1, ["m1"])
    assert "m1" in known
    known.forget(now=0.0)
    known.forget(now=INDEXED_FOR + 1)
    known.add(2, ["m2"])

    assert "m1" in known
    assert "m2" in known
    assert "m3" not in known


def test_recovered_names_are_known() -> None:
    packed = KnownNames(10).add(7, ["m1", "m2"])
    known = KnownNames(10)
    known.restore(7, packed)

    assert "m2" in known
    assert len(known) == 2
