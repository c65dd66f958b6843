"""Each place counts each message once."""

from __future__ import annotations

from connectors.message import (
    Arrived,
    ConsumerCounts,
    Lost,
    Message,
    Opened,
    Origin,
    Outcomes,
    PartOutcome,
    Rejected,
    Rejection,
)
from flows.audit.counters import ConsumerAccount, Messages, in_leaving, in_outcomes
from flows.values.group import DuplicateOfSent, Group
from tests.flows.members import member
from tests.flows.settling import SettlingStub

ORIGIN, NEXT = Origin("q/0", 1), Origin("q/0", 2)


def arrived(count: int, origin: Origin = ORIGIN) -> Arrived:
    return Arrived(origin, [Message(tag, False, b"", b"", b"{}") for tag in range(1, count + 1)])


def rejected(*others: int) -> Rejected:
    return Rejected(Message(1, False, b"", b"", b"{}"), Rejection("bad"), others)


def test_each_message_is_counted_under_one_outcome() -> None:
    """A rejected one may stand for others; a lost connection requeues what has no outcome."""
    account = ConsumerAccount(SettlingStub())
    account.take([Opened(ORIGIN), arrived(20)])
    kept = [10, 11, 12, 13]
    account.settle(Outcomes(ORIGIN, [1, 2], [rejected(4, 5)], dropped=[6], kept=kept))

    account.take([Lost(ORIGIN), Opened(NEXT), arrived(3, NEXT)])

    assert account.counts == (23, 2, 4, 3, 1, 20 - 2 - 4 - 3 - 1)
    assert account.counts.waiting == 3
    account.close()
    assert account.counts == (23, 2, 4, 3, 1, 10 + 3)
    assert account.counts.waiting == 0


def test_the_counts_of_the_consumer_are_added() -> None:
    """Of six rejected messages, one was never read, three are parked, and one is requeued."""
    settling = SettlingStub(counts=ConsumerCounts(unread=1, parked=3, requeued=1))
    account = ConsumerAccount(settling)
    account.take([Opened(ORIGIN), arrived(20)])
    account.settle(Outcomes(ORIGIN, [1, 2], [rejected(4, 5), rejected(8)], dropped=[6]))

    assert account.messages == Messages(
        received=21, stored=2, kept=0, rejected=6, parked=3, left_to_broker=0, dropped=1, requeued=1
    )
    assert account.messages.waiting == 14
    account.take([Lost(ORIGIN)])
    assert account.messages.requeued == 1 + 12


def test_everything_that_leaves_a_shard_is_counted() -> None:
    one, part = member(1), PartOutcome(9, 0, 2)
    group = Group(1, None, [one, one], "count", 0, 1)
    outcomes = Outcomes(ORIGIN, [1, 2], [rejected(3)], dropped=[5], parts=[part])

    assert group.to_settle == 2
    assert in_outcomes(outcomes) == 6
    assert in_leaving([group, DuplicateOfSent(one, 1, 0), outcomes, Lost(ORIGIN)]) == 9
