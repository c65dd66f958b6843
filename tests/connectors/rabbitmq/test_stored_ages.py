"""How old messages are when they are stored."""

from __future__ import annotations

from typing import Any

import pytest
from pika import spec

from connectors.message import Message
from connectors.rabbitmq.delivery import encode_route
from connectors.rabbitmq.stored_ages import EVERY, MAX_WAITING, StoredAges

NOON = 1796040000.0


def message(tag: int, **properties: Any) -> Message:
    encoded = b"".join(spec.BasicProperties(**properties).encode())
    return Message(tag, False, encode_route("", "orders"), encoded, b"{}")


def published(tag: int, at: float = NOON) -> Message:
    return message(tag, timestamp=int(at))


@pytest.mark.parametrize("tags", [[1, 2, 3], [3, 2, 1], [2, 9]])
def test_the_age_is_that_from_publishing_to_storing(tags: list[int]) -> None:
    ages = StoredAges()
    ages.delivered(published(2), 0.0)

    assert list(ages.stored([1, 3], NOON + 1)) == []
    assert list(ages.stored(tags, NOON + 2)) == [2.0]
    assert list(ages.stored(tags, NOON + 2)) == []


def test_a_header_in_milliseconds_is_more_precise() -> None:
    ages = StoredAges()
    headers = {"timestamp_in_ms": int(NOON * 1000) + 250}
    ages.delivered(message(1, timestamp=int(NOON), headers=headers), 0.0)

    assert list(ages.stored([1], NOON + 1)) == [0.75]


def test_ten_messages_a_second_are_measured() -> None:
    ages = StoredAges()
    for tag in range(1, 101):
        ages.delivered(published(tag), tag * EVERY / 10)

    assert len(list(ages.stored(range(1, 101), NOON))) == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    "unmeasured", [message(1), message(1, headers={"timestamp_in_ms": "soon"})]
)
def test_a_message_that_does_not_say_when_it_was_published_is_not_measured(
    unmeasured: Message,
) -> None:
    ages = StoredAges()
    ages.delivered(unmeasured, 0.0)
    ages.delivered(Message(2, False, b"\0\0", b"\xff", b""), 1.0)

    assert list(ages.stored([1, 2], NOON)) == []


def test_a_clock_that_is_behind_makes_no_age_negative() -> None:
    ages = StoredAges()
    ages.delivered(published(1, NOON + 60), 0.0)

    assert list(ages.stored([1], NOON)) == [0.0]


def test_messages_that_are_never_stored_do_not_pile_up() -> None:
    ages = StoredAges()
    for tag in range(1, 2 * MAX_WAITING):
        ages.delivered(published(tag), float(tag))

    assert len(list(ages.stored(range(1, 2 * MAX_WAITING), NOON))) == MAX_WAITING
