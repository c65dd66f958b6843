"""Pickled members are unpickled unchanged."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.message import Message, Origin
from flows.values.columnar import Members
from flows.values.group import ABSENT, Member

ORIGIN = Origin("queue/000", 7)
few = st.sampled_from
values = st.lists(few([1, 1.0, True, None, ABSENT, "1", [1], {"a": 1}]), max_size=2).map(tuple)


@st.composite
def members(draw: Any) -> Member:
    body = draw(few([b"{}", b'{"a":1}']))
    return Member(
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


@given(st.lists(members(), min_size=1, max_size=5))
def test_members_are_unpickled_unchanged(batch: list[Member]) -> None:
    """Values keep their types, although 1, 1.0 and true are equal."""
    crossed = pickle.loads(pickle.dumps(Members(batch)))

    assert repr(crossed) == repr(batch)
    assert type(crossed) is Members


def test_a_body_is_pickled_once() -> None:
    """If the document is the unchanged body."""
    body = b'{"text":"%s"}' % (b"x" * 1000)
    member = Member(ORIGIN, Message(1, False, b"", b"", body), body, None, None)
    other = replace(member, message=replace(member.message, tag=2))

    assert len(pickle.dumps(Members([member, other]))) < 2600
