"""The fingerprint of a window's document: equal only for the same members."""

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
def test_it_contains_the_number_of_members(names: list[str]) -> None:
    assert count_in(of(names)) == len(names)
    assert count_in(of(names, names)) == len(names)


@pytest.mark.parametrize("text", [None, "", "abc", "x:y", "3", "1:2:3:4"])
def test_an_invalid_fingerprint_may_include_any_member(text: str | None) -> None:
    assert count_in(text) is None
    assert may_share(text or "", ["a"])


@given(NAMES, st.randoms())
def test_the_same_members_in_any_order_have_the_same_fingerprint(
    names: list[str], chance: object
) -> None:
    again = [*names]
    chance.shuffle(again)  # type: ignore[attr-defined]

    assert of(again) == of(names)
    assert same_members(of(again, again), of(names)), "in any order of delivery"
    assert not same_members(of([*names, "late one"]), of(names))


def test_members_that_no_other_process_received_are_not_listed() -> None:
    assert not may_share(of(["a", "b"]), ["c", "d"])


def test_redelivered_members_are_listed() -> None:
    text = of(["a", "b", "c"], ["b"])

    assert may_share(text, ["x", "b"])
    assert not may_share(text, ["x", "a"])
    assert may_share(text, ["x", None]), "a member without an id may be any member"


def test_with_many_redelivered_members_any_may_be_included() -> None:
    names = [f"m{n}" for n in range(MAX_LISTED + 1)]

    assert not may_share(of(names, names[:-1]), ["x"])
    assert may_share(of(names, names), ["x"])


def test_documents_of_split_messages_are_separate_members() -> None:
    redelivered: list[Hashable] = [("m", 1)]
    text = fingerprint(1, combined_id(redelivered) or "", redelivered)

    assert may_share(text, [("m", 1)])
    assert not may_share(text, [("m", 2)])


def test_a_larger_group_has_another_fingerprint_with_the_same_list() -> None:
    before = of(["a", "b"], ["b"])

    after = grown(before, 3, "c")

    assert count_in(after) == 3
    assert not same_members(after, before)
    assert after == grown(before, 3, "c")
    assert after != grown(before, 3, "d")
    assert may_share(after, ["b"])
    assert not may_share(after, ["c"])
