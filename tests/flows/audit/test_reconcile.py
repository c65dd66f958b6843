"""The counts of a process add up at every moment; one missing message is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.message import Arrived, ConsumerCounts, Message, Opened, Origin, Outcomes
from flows.audit.reconcile import STILL, Accounts

ORIGIN = Origin("q/0", 1)


class CountedRing:
    """A process as its accounts see it: the steps count messages here."""

    def __init__(self, *, alone: bool = True) -> None:
        self.accounts = Accounts(alone=alone)
        self.consumer = self.accounts.open("q/0", self)
        self.consumer.take([Opened(ORIGIN)])
        self.groups, self.sink = self.accounts.of_groups(), self.accounts.of_sink()
        self.awaiting_outcome = self.between_in = self.open = self.between_out = self.with_sink = 0
        self.answered = 0

    @property
    def counts(self) -> ConsumerCounts:
        """Of rejected messages: there are none."""
        return ConsumerCounts()

    def receive(self, count: int) -> None:
        messages = [Message(tag, False, b"", b"", b"{}") for tag in range(1, count + 1)]
        self.consumer.take([Arrived(ORIGIN, messages)])
        self.consumer.sent += count
        self.awaiting_outcome += count
        self.between_in += count

    def group(self, count: int) -> None:
        count = min(count, self.between_in)
        self.between_in -= count
        self.open += count
        self.groups.note(entered=count, open=self.open)

    def leave(self, count: int) -> None:
        count = min(count, self.open)
        self.open -= count
        self.between_out += count
        self.groups.note(left=count, open=self.open)

    def submit(self, count: int) -> None:
        count = min(count, self.between_out)
        self.between_out -= count
        self.with_sink += count
        self.sink.note(entered=count, open=self.with_sink)

    def answer(self, count: int) -> None:
        count = min(count, self.with_sink)
        self.with_sink -= count
        self.answered += count
        self.sink.note(left=count, open=self.with_sink)

    def settle(self, count: int) -> None:
        count = min(count, self.answered)
        self.answered -= count
        self.awaiting_outcome -= count
        self.consumer.answered += count
        self.consumer.settle(Outcomes(ORIGIN, list(range(count)), []))

    def finish(self) -> None:
        for move in (self.group, self.leave, self.submit, self.answer, self.settle):
            move(10**9)

    def checks(self, count: int) -> list[str]:
        found: list[str] = []
        for _ in range(count):
            found = self.accounts.check(draining=False)
        return found


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["receive", "group", "leave", "submit", "answer", "settle"]),
        st.integers(1, 50),
    )
)


def play(ring: CountedRing, moves: list[tuple[str, int]]) -> None:
    """Play these moves; between two steps messages stay as long as they may."""
    for name, count in moves:
        getattr(ring, name)(count)
        for _ in range(2):
            assert ring.accounts.check(draining=True) == []


@given(MOVES)
def test_counts_that_add_up_raise_no_alarm(moves: list[tuple[str, int]]) -> None:
    """Wherever messages are, and however long they stay in a group or in the sink."""
    ring = CountedRing()
    play(ring, moves)
    ring.finish()

    assert ring.checks(3 * STILL) == []
    assert ring.accounts.received.waiting == 0


def drop_from_group(ring: CountedRing) -> None:
    ring.groups.note(entered=1, open=ring.open)


def drop_from_sink(ring: CountedRing) -> None:
    ring.sink.note(entered=1, open=ring.with_sink)


def make_up(ring: CountedRing) -> None:
    ring.sink.note(left=1, open=ring.with_sink)


@given(MOVES, st.sampled_from([drop_from_group, drop_from_sink, make_up]), MOVES)
def test_a_place_that_loses_a_message_is_found(
    before: list[tuple[str, int]], defect: Any, after: list[tuple[str, int]]
) -> None:
    """At the second check: one message is missing, or there is one too many."""
    ring = CountedRing()
    play(ring, before)
    defect(ring)
    assert ring.checks(1) == []
    for name, count in after:
        getattr(ring, name)(count)

    [text] = ring.checks(1)

    assert "missing" in text


@pytest.mark.parametrize("alone", [True, False])
def test_a_message_lost_between_two_steps_is_found_when_nothing_moves(alone: bool) -> None:
    """Not in a cluster: the message may have gone to another process."""
    ring = CountedRing(alone=alone)
    ring.receive(5)
    ring.between_in -= 1
    ring.finish()

    assert ring.checks(STILL) == []
    found = ring.checks(1)

    mismatch = [
        "between the steps: of 5 messages that entered, 4 have left, 0 are redelivered after "
    ]
    assert [text[: len(mismatch[0])] for text in found] == (mismatch if alone else [])


def test_a_message_that_is_stored_twice_is_found() -> None:
    ring = CountedRing()
    ring.receive(2)
    ring.finish()
    ring.consumer.settle(Outcomes(ORIGIN, [1], []))

    ring.checks(1)
    [text] = ring.checks(1)

    assert text.startswith("q/0 has 1 outcomes without a message")


def test_an_acknowledgement_without_an_outcome_is_found_when_nothing_moves() -> None:
    ring = CountedRing()
    ring.receive(2)
    ring.group(2)
    ring.awaiting_outcome -= 1

    assert ring.checks(STILL) == []
    assert ring.checks(1) == ["q/0 has 1 messages without outcome, but the flow has 2"]


def test_nothing_may_move_during_a_drain() -> None:
    """`write` waits for its last answers, and all later steps wait for `write`."""
    ring = CountedRing()
    ring.receive(2)

    for _ in range(3 * STILL):
        assert ring.accounts.check(draining=True) == []
