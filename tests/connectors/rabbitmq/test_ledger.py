"""The ledger, with a broker that closes the channel for a mistake, as RabbitMQ does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.rabbitmq.ledger import Ledger


class LedgerBroker:
    """Keeps what it has delivered until it is settled."""

    def __init__(self) -> None:
        self.delivered = 0
        self.waiting: set[int] = set()
        self.acknowledged: set[int] = set()
        self.rejected: dict[int, bool] = {}
        self.frames = 0

    def deliver(self, count: int) -> int:
        self.waiting |= set(range(self.delivered + 1, self.delivered + count + 1))
        self.delivered += count
        return self.delivered

    def acknowledge(self, tag: int, multiple: bool) -> None:
        assert tag in self.waiting, "406 PRECONDITION_FAILED - unknown delivery tag"
        named = {waiting for waiting in self.waiting if waiting <= tag} if multiple else {tag}
        self.waiting -= named
        self.acknowledged |= named
        self.frames += 1

    def reject(self, tag: int, *, requeue: bool) -> None:
        assert tag in self.waiting, "406 PRECONDITION_FAILED - unknown delivery tag"
        self.waiting.remove(tag)
        self.rejected[tag] = requeue


class LedgerMachine(RuleBasedStateMachine):
    """Any operation on any tag, in any order, and repeatedly."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = LedgerBroker()
        self.ledger = Ledger(self.broker.acknowledge, self.broker.reject)
        self.finished: set[int] = set()
        self.waiting: set[int] = set()

    @property
    def open(self) -> set[int]:
        """Delivered, and neither stored nor rejected."""
        return set(range(1, self.broker.delivered + 1)) - self.finished - set(self.broker.rejected)

    @rule(count=st.integers(1, 40))
    def deliver(self, count: int) -> None:
        """The size of each message is its tag."""
        last = self.broker.deliver(count)
        self.ledger.delivered(last, range(last - count + 1, last + 1))

    @rule(tags=st.lists(st.integers(-3, 200), max_size=30))
    def store(self, tags: list[int]) -> None:
        """In any order; with unknown, repeated and old tags."""
        self.stored(tags)

    @rule(first=st.integers(-3, 200), count=st.integers(1, 60))
    def store_run(self, first: int, count: int) -> None:
        self.stored(list(range(first, first + count)))

    @rule(tags=st.lists(st.integers(1, 12), min_size=2).map(sorted))
    def store_what_looks_like_a_run(self, tags: list[int]) -> None:
        self.stored(tags)

    def stored(self, tags: Sequence[int]) -> None:
        newly = self.open & set(tags)
        self.finished |= newly

        assert self.ledger.stored(tags) == len(newly)

    @rule(tag=st.integers(-3, 200), requeue=st.booleans())
    def reject(self, tag: int, requeue: bool) -> None:
        was_open = tag in self.open

        assert self.ledger.reject(tag, requeue=requeue) == was_open
        assert not was_open or self.broker.rejected[tag] == requeue

    @precondition(lambda self: self.broker.delivered)
    @rule(spill=st.booleans())
    def flush(self, spill: bool) -> None:
        """It sends one frame for all that precede the open ones, and one for each of the others."""
        first_open = min(self.open, default=self.broker.delivered + 1)
        unsent = self.finished & self.broker.waiting
        together = {tag for tag in unsent if tag < first_open}
        singly = unsent - together if spill else set()
        before = self.broker.frames

        frames = self.ledger.flush(spill)

        assert frames == self.broker.frames - before == bool(together) + len(singly)
        assert self.finished & self.broker.waiting == unsent - together - singly

    @precondition(lambda self: self.broker.delivered)
    @rule()
    def spill_waiting(self) -> None:
        """It sends one frame for each message that waited at the last call already."""
        self.ledger.flush(spill=False)
        unsent = self.finished & self.broker.waiting
        due = unsent & self.waiting
        before = self.broker.frames

        frames = self.ledger.spill_waiting()

        assert frames == self.broker.frames - before == len(due)
        self.waiting = self.finished & self.broker.waiting
        assert self.waiting == unsent - due

    @invariant()
    def only_finished_messages_are_acknowledged(self) -> None:
        assert self.broker.acknowledged <= self.finished

    @invariant()
    def the_counts_are_those_of_the_broker(self) -> None:
        assert self.ledger.open == len(self.broker.waiting)
        assert self.ledger.unsent == len(self.finished & self.broker.waiting)
        assert self.ledger.unfinished == len(self.open)
        assert self.ledger.bytes == sum(self.open)

    @invariant()
    def the_messages_held_from_any_tag_on_are_counted(self) -> None:
        for tag in (
            1,
            self.broker.delivered // 2,
            self.broker.delivered,
            self.broker.delivered + 9,
        ):
            waiting = {one for one in self.broker.waiting if one >= tag}
            assert self.ledger.held_from(tag) == len(waiting)


LedgerMachine.TestCase.settings = settings(stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase


@pytest.fixture
def broker() -> LedgerBroker:
    return LedgerBroker()


@pytest.fixture
def ledger(broker: LedgerBroker) -> Ledger:
    """A ledger of ten delivered messages."""
    ledger = Ledger(broker.acknowledge, broker.reject)
    ledger.delivered(broker.deliver(10))
    return ledger


def test_a_window_of_messages_takes_one_frame(broker: LedgerBroker, ledger: Ledger) -> None:
    ledger.stored(range(1, 11))

    assert ledger.flush(spill=False) == 1
    assert broker.waiting == set()


def test_a_frame_for_several_tags_skips_a_rejected_message(
    broker: LedgerBroker, ledger: Ledger
) -> None:
    """Such a message is finished, for the ledger, when it is parked."""
    ledger.stored([1, 2, 3, 5, 6, 7, 8, 9, 10])
    ledger.flush(spill=True)
    assert broker.waiting == {4}

    ledger.stored([4])
    ledger.flush(spill=False)
    assert broker.waiting == set()


def test_finished_messages_behind_an_open_one_wait_until_spilled(
    broker: LedgerBroker, ledger: Ledger
) -> None:
    ledger.stored(range(2, 11))

    assert ledger.flush(spill=False) == 0
    assert (ledger.open, ledger.unsent) == (10, 9)
    assert ledger.flush(spill=True) == 9
    assert (ledger.open, ledger.unsent) == (1, 0)


def test_a_finished_message_waits_until_a_second_look(broker: LedgerBroker, ledger: Ledger) -> None:
    """One that is finished in between has time to become a part of a run."""
    ledger.stored([3, 4])
    assert ledger.spill_waiting() == 0

    ledger.stored([6])
    assert ledger.spill_waiting() == 2
    assert broker.waiting == {1, 2, *range(5, 11)}

    ledger.stored([1, 2, 5])
    assert ledger.flush(spill=False) == 1
    assert ledger.spill_waiting() == 0
    assert broker.waiting == set(range(7, 11))


def test_single_acknowledgements_can_be_sent_together() -> None:
    sent: list[list[int]] = []
    broker = LedgerBroker()
    ledger = Ledger(broker.acknowledge, broker.reject, lambda tags: sent.append(list(tags)))
    ledger.delivered(10)
    ledger.stored([3, 7, 5])

    ledger.flush(spill=True)

    assert sent == [[3, 5, 7]]


@pytest.mark.parametrize("tags", [[1, 1, 4, 4], [1, 2, 2, 4], [2, 1, 3], [1, 10**12], []])
def test_tags_with_gaps_are_no_run(ledger: Ledger, tags: list[int]) -> None:
    assert ledger.stored(tags) == len(set(tags) & set(range(1, 11)))


def test_a_tag_of_another_channel_is_ignored(broker: LedgerBroker, ledger: Ledger) -> None:
    assert ledger.stored([0, 11, 12]) == 0
    assert not ledger.reject(11, requeue=False)
    assert ledger.flush(spill=True) == 0
    assert broker.waiting == set(range(1, 11))


def test_the_messages_of_a_later_consumer_are_counted_from_its_first_one_on() -> None:
    ledger = Ledger(lambda _tag, _multiple: None, lambda _tag, *, requeue: None)
    ledger.delivered(10)
    ledger.stored([1, 2, 7])
    assert [ledger.held_from(tag) for tag in (1, 6, 10, 11)] == [10, 5, 1, 0]

    ledger.flush(spill=True)

    assert [ledger.held_from(tag) for tag in (1, 6, 10, 11)] == [7, 4, 1, 0]
    assert ledger.oldest == 3
