"""Pickled members are unpickled unchanged."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.message import Message, Origin
from flows.values.columnar import Members
from flows.values.group import ABSENT, FullMember, Member, PlainMember

ORIGIN = Origin("queue/000", 7)
few = st.sampled_from
values = st.lists(few([1, 1.0, True, None, ABSENT, "1", [1], {"a": 1}]), max_size=2).map(tuple)


@st.composite
def members(draw: Any) -> Member:
    body = draw(few([b"{}", b'{"a":1}']))
    return FullMember(
        ORIGIN,
        Message(draw(st.integers(1, 5)), draw(st.booleans()), b"", draw(few([b"", b"p"])), body),
        draw(few([body, b'{"other":1}'])),
        draw(few([None, "index"])),
        draw(few([None, "id"])),
        draw(few([None, '"key"', "1"])),
        draw(few([None, "name"])),
        draw(st.integers(0, 7)),
        draw(few([None, 0, 1, 3])),
        draw(few([None, 0.0, 1.5])),
        draw(values),
        draw(few([None, (0, 2), (1, 2)])),
    )


plain = st.builds(
    PlainMember,
    st.just(ORIGIN),
    st.builds(
        Message, st.integers(1, 5), st.booleans(), st.just(b""), st.just(b""), st.just(b"{}")
    ),
    few([b"{}", b'{"other":1}']),
    few([None, "index"]),
    few([None, "id"]),
)


@given(st.lists(members(), min_size=1, max_size=5) | st.lists(plain, min_size=1, max_size=5))
def test_members_are_unpickled_unchanged(batch: list[Member]) -> None:
    """Values keep their types, although 1, 1.0 and true are equal."""
    crossed = pickle.loads(pickle.dumps(Members(batch)))

    assert repr(crossed) == repr(batch)
    assert type(crossed) is Members


@given(st.lists(members() | plain, min_size=1, max_size=5))
def test_members_of_two_kinds_keep_their_values(batch: list[Member]) -> None:
    """A plain member next to a full one becomes a full one."""
    crossed = pickle.loads(pickle.dumps(Members(batch)))

    for name in FullMember.__struct_fields__:
        assert [repr(getattr(m, name)) for m in crossed] == [repr(getattr(m, name)) for m in batch]


def test_a_plain_member_has_the_defaults_of_a_full_one() -> None:
    """The two declarations agree."""
    required = (ORIGIN, Message(1, False, b"", b"", b"{}"), b"{}", None, None)
    full, plain = FullMember(*required), PlainMember(*required)

    assert plain.__struct_fields__ == full.__struct_fields__[: len(required)]
    for name in full.__struct_fields__:
        assert getattr(plain, name) == getattr(full, name)


def test_a_body_is_pickled_once() -> None:
    """If the document is the unchanged body."""
    body = b'{"text":"%s"}' % (b"x" * 1000)
    member = FullMember(ORIGIN, Message(1, False, b"", b"", body), body, None, None)
    other = replace(member, message=replace(member.message, tag=2))

    assert len(pickle.dumps(Members([member, other]))) < 2600
