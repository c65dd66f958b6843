"""Versions of windows: more members are newer, and only the same ones are the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.groups.open_group import name_together
from flows.summaries.version import UNCONFIRMED, count_in, same_members, version_of

NAMES = st.lists(st.text(max_size=4), min_size=1, max_size=6)


def version(names: list[str]) -> int:
    return version_of(len(names), name_together(names))


@given(one=NAMES, other=NAMES)
def test_more_members_are_newer_and_none_is_as_old_as_an_unconfirmed_one(
    one: list[str], other: list[str]
) -> None:
    assert count_in(version(one)) == len(one)
    assert version(one) > UNCONFIRMED
    if len(one) < len(other):
        assert version(one) < version(other)


@given(st.data(), NAMES)
def test_the_same_members_make_the_same_version_in_whatever_order(
    data: st.DataObject, names: list[str]
) -> None:
    again = data.draw(st.permutations(names))

    assert same_members(version(again), version(names))
    assert not same_members(version([*names, "late"]), version(names))
    assert not same_members(version(["another", *names[1:]]), version(names))


def test_of_members_without_names_nobody_knows_which_they_are() -> None:
    nameless = version_of(3, None)

    assert count_in(nameless) == 3
    assert not same_members(nameless, nameless)


def test_nor_where_it_is_not_known_what_is_there() -> None:
    assert not same_members(None, version(["a"]))


def test_a_million_members_are_not_too_many_for_elasticsearch() -> None:
    assert version_of(2**31 - 1, "a") < 2**63
