"""What is kept of dead letters, and how much."""

from __future__ import annotations

from connectors.latest_dead_letters import (
    BODY_KEPT,
    KEPT,
    REASON_KEPT,
    LatestDeadLetters,
    together,
)
from connectors.message import Message, Rejected, Rejection


def rejected(reason: str, body: bytes = b"{}", others: tuple[int, ...] = ()) -> Rejected:
    return Rejected(Message(1, False, b"", b"", body), Rejection(reason), others)


def test_the_number_and_the_sizes_are_bounded() -> None:
    latest = LatestDeadLetters("orders/000")
    for number in range(KEPT + 5):
        latest.note(rejected("r" * 10_000, b"b" * 10_000), at=float(number))

    kept = latest()
    assert [one.at for one in kept] == [float(number) for number in range(5, KEPT + 5)]
    assert {(len(one.reason), len(one.body)) for one in kept} == {(REASON_KEPT, BODY_KEPT)}


def test_those_of_several_consumers_are_in_one_order() -> None:
    one, other = LatestDeadLetters("orders/000"), LatestDeadLetters("orders/001")
    one.note(rejected("first"), at=1.0)
    other.note(rejected("second", others=(2, 3)), at=2.0)
    one.note(rejected("third"), at=3.0)

    shown = [(letter.reason, letter.consumer, letter.messages) for letter in together([one, other])]

    assert shown == [
        ("third", "orders/000", 1),
        ("second", "orders/001", 3),
        ("first", "orders/000", 1),
    ]
