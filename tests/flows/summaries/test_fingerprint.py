"""The fingerprint of a window's document: the same for the very same members, and for no others."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.summaries.fingerprint import (
    MAX_LISTED,
    count_in,
    fingerprint,
    grown,
    may_share,
    same_members,
)
from flows.values.identity import combined_id

NAMES = st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True)


def of(names: list[str], redelivered: list[str] | None = None) -> str:
    return fingerprint(len(names), combined_id(names) or "", redelivered or [])


@given(NAMES)
def test_it_tells_how_many_members_there_are(names: list[str]) -> None:
    assert count_in(of(names)) == len(names)
    assert count_in(of(names, names)) == len(names)


@pytest.mark.parametrize("text", [None, "", "abc", "x:y", "3", "1:2:3:4"])
def test_what_is_none_tells_nothing_and_may_be_about_anybody(text: str | None) -> None:
    assert count_in(text) is None
    assert may_share(text or "", ["a"])


@given(NAMES, st.randoms())
def test_the_same_members_make_the_same_in_whatever_order(names: list[str], chance: object) -> None:
    again = [*names]
    chance.shuffle(again)  # type: ignore[attr-defined]

    assert of(again) == of(names)
    assert same_members(of(again, again), of(names)), "however they came"
    assert not same_members(of([*names, "late one"]), of(names))


def test_members_that_are_new_to_no_other_process_are_not_shared() -> None:
    assert not may_share(of(["a", "b"]), ["c", "d"])


def test_members_that_came_second_are_listed() -> None:
    text = of(["a", "b", "c"], ["b"])

    assert may_share(text, ["x", "b"])
    assert not may_share(text, ["x", "a"])
    assert may_share(text, ["x", None]), "who has no name may be anybody"


def test_of_many_that_came_second_any_may_be_meant() -> None:
    names = [f"m{n}" for n in range(MAX_LISTED + 1)]

    assert not may_share(of(names, names[:-1]), ["x"])
    assert may_share(of(names, names), ["x"])


def test_parts_of_messages_are_members_of_their_own() -> None:
    redelivered: list[Hashable] = [("m", 1)]
    text = fingerprint(1, combined_id(redelivered) or "", redelivered)

    assert may_share(text, [("m", 1)])
    assert not may_share(text, [("m", 2)])


def test_what_grows_has_another_one_and_lists_the_same() -> None:
    before = of(["a", "b"], ["b"])

    after = grown(before, 3, "c")

    assert count_in(after) == 3
    assert not same_members(after, before)
    assert after == grown(before, 3, "c")
    assert after != grown(before, 3, "d")
    assert may_share(after, ["b"])
    assert not may_share(after, ["c"])
