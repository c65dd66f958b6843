"""The log shows the first rejection of each kind in full, and then counts."""

from __future__ import annotations

from connectors.message import Message, Rejected, Rejection
from connectors.rabbitmq.reject_log import COUNT_AFTER, FORGET_AFTER, RejectLog, describe
from connectors.reject_kind import MAX_KINDS, OTHER


def rejected(reason: str, tag: int = 1) -> Rejected:
    return Rejected(Message(tag, False, b"", b"", b"{}"), Rejection(reason))


def note(log: RejectLog, reason: str, now: float, messages: int = 1) -> bool:
    return log.note(log.kind_of(rejected(reason)), messages, now)


def test_the_first_of_each_kind_is_logged_in_full() -> None:
    log = RejectLog()

    logged = [note(log, reason, 0.0) for reason in ("bad 1", "bad 2", "worse 1", "bad 3")]

    assert logged == [True, False, True, False]


def test_further_ones_are_counted_once_a_minute() -> None:
    log = RejectLog()
    for second in range(59):
        note(log, f"bad {second}", float(second))
    note(log, "worse", 1.0, messages=10)
    assert log.due(COUNT_AFTER) == []

    assert log.due(1.0 + COUNT_AFTER) == [("bad", 58), ("worse", 9)]
    assert log.due(1000.0) == []
    note(log, "bad again", 1000.0)
    note(log, "bad 5", 1000.0)
    assert log.due(1059.0) == []
    assert log.due(1059.0, everything=True) == [("bad", 1)]


def test_a_kind_that_returns_after_a_long_time_is_logged_in_full() -> None:
    log = RejectLog()
    note(log, "bad 1", 0.0)
    note(log, "worse", FORGET_AFTER)
    note(log, "worse", FORGET_AFTER)
    log.due(FORGET_AFTER + COUNT_AFTER)

    assert note(log, "bad 2", FORGET_AFTER + COUNT_AFTER)


def test_the_number_of_kinds_is_bounded() -> None:
    log = RejectLog()
    names = [f"{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(MAX_KINDS + 20)]

    logged = [note(log, f"bad {name}", 0.0) for name in names]

    assert sum(logged) == MAX_KINDS + 1
    assert log.due(COUNT_AFTER) == [(OTHER, 19)]


def test_an_example_names_the_message_and_its_document_without_the_body() -> None:
    message = Message(7, False, b"", b"", b"secret")
    one = Rejected(message, Rejection("no good", 400, "orders", "a17", 1))

    assert describe(one, "m-1") == "no good (status 400, index orders, _id a17, message_id m-1)"
    assert describe(rejected("no good", 7), None) == "no good (delivery tag 7)"
    summary = Rejected(message, Rejection("no good"), [8, 9])
    assert describe(summary, None) == "no good (delivery tag 7, messages 3)"
