"""Too many rejected messages are not parked: the fuse blows."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.rabbitmq.fuse import Fuse
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RejectLimit


def limit(rejected: int, of: int) -> RejectLimit:
    return RejectLimit(rejected=rejected, of=of)


def test_more_than_half_of_the_last_thousand_are_too_many() -> None:
    """If the spec says nothing else."""
    fuse = Fuse(RabbitMQDeadLetter(routing_key="parked").reject_limit)
    fuse.stored(499)
    for _ in range(500):
        fuse.rejected("bad")
    assert not fuse.blown

    fuse.rejected("bad")

    assert fuse.blown


def test_what_is_long_ago_is_forgotten() -> None:
    fuse = Fuse(limit(2, of=10))
    fuse.rejected("bad")
    fuse.rejected("bad")
    fuse.stored(9)
    fuse.rejected("bad")

    assert not fuse.blown


def test_without_a_limit_it_never_blows() -> None:
    fuse = Fuse(None)
    for _ in range(5000):
        fuse.rejected("bad")

    assert not fuse.blown


def test_once_blown_it_stays_so() -> None:
    fuse = Fuse(limit(1, of=2))
    fuse.rejected("bad")
    fuse.rejected("bad")
    fuse.stored(1000)

    assert fuse.blown


def test_the_commonest_reason_is_told_without_what_differs() -> None:
    fuse = Fuse(limit(4, of=10))
    for number in range(3):
        fuse.rejected(f"[1:{number}] failed to parse [n] of document with id '{number}-x'")
    fuse.rejected("other")
    fuse.rejected("another")

    assert fuse.blown
    assert fuse.commonest == "[…:…] failed to parse [n] of document with id … (3 times)"


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.one_of(st.integers(0, 30), st.sampled_from("abc")), max_size=80),
)
def test_it_counts_as_one_would_who_remembers_every_message(
    rejected: int, more: int, outcomes: list[int | str]
) -> None:
    fuse, last = Fuse(limit(rejected, of=rejected + more)), deque[str](maxlen=rejected + more)
    for outcome in outcomes:
        if isinstance(outcome, int):
            fuse.stored(outcome)
            last.extend([""] * outcome)
        else:
            fuse.rejected(outcome)
            last.append(outcome)
        reasons = [reason for reason in last if reason]
        assert fuse.blown == (len(reasons) > rejected)
        if fuse.blown:
            most = max(map(reasons.count, reasons))
            assert fuse.commonest in {f"{reason} ({most} times)" for reason in reasons}
            return


def test_a_limit_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be more than rejected"):
        limit(1000, of=1000)
