"""A message that kills the job each time affects few other messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pika import spec

from connectors.message import Message
from connectors.rabbitmq.slow_start import (
    PROBE_STEP_AFTER,
    SlowStart,
    any_redelivered,
    nack_counts_no_delivery,
    split_off_poison,
)

MOST = 4000


def message(count: int | None = None, redelivered: bool = True) -> Message:
    headers = {} if count is None else {"x-delivery-count": count}
    properties = b"".join(spec.BasicProperties(headers=headers).encode())
    return Message(1, redelivered, b"\x00\x00", properties, b"")


def test_the_first_message_is_held_alone() -> None:
    """Until it arrives, however long that takes."""
    slow_start = SlowStart(MOST)

    slow_start.update(held=0, now=1000.0)

    assert (slow_start.prefetch, slow_start.over) == (1, False)


def test_slow_start_ends_with_a_message_that_is_not_redelivered() -> None:
    slow_start = SlowStart(MOST)

    slow_start.arrived([message(redelivered=False)], now=0.0)

    assert (slow_start.prefetch, slow_start.over) == (MOST, True)


def test_each_step_waits_until_half_is_settled() -> None:
    slow_start = SlowStart(MOST)
    slow_start.arrived([message()], now=0.0)
    steps = []

    while not slow_start.over:
        slow_start.update(held=slow_start.prefetch, now=0.0)
        slow_start.update(held=slow_start.prefetch // 2 + 1, now=0.0)
        steps.append(slow_start.prefetch)
        slow_start.update(held=slow_start.prefetch // 2, now=0.0)

    assert steps == [1, 4, 16, 64, 256, 1024]


def test_a_window_that_waits_for_more_messages_gets_more() -> None:
    """After a second; after three seconds if its messages were delivered three times before."""
    slow_start = SlowStart(MOST)
    slow_start.arrived([message()], now=0.0)
    slow_start.update(held=1, now=0.9)
    assert slow_start.prefetch == 1

    slow_start.update(held=1, now=1.0)
    assert slow_start.prefetch == 4

    slow_start.arrived([message(3), message(2)], now=1.1)
    slow_start.update(held=3, now=3.9)
    assert slow_start.prefetch == 4
    slow_start.update(held=3, now=4.0)
    assert slow_start.prefetch == 16


def test_a_small_prefetch_needs_no_slow_start() -> None:
    """Then the prefetch is exact from the start."""
    assert SlowStart(100).prefetch == 100
    assert SlowStart(101).prefetch == 1


def test_a_lost_connection_is_no_crash() -> None:
    slow_start = SlowStart(MOST)

    slow_start.end()

    assert slow_start.prefetch == MOST


@given(
    st.integers(1, 65535),
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.floats(0, 5))),
)
def test_slow_start_never_shrinks_and_never_admits_too_many(
    most: int, moments: list[tuple[bool, int, float]]
) -> None:
    slow_start, now = SlowStart(most), 0.0
    for redelivered, held, seconds in moments:
        before, now = slow_start.prefetch, now + seconds
        slow_start.arrived([message(redelivered=redelivered)], now)
        slow_start.update(held, now)
        assert 1 <= before <= slow_start.prefetch <= most


def test_a_message_with_too_many_deliveries_is_taken_out() -> None:
    """The others stay, in order."""
    new, once, often = message(redelivered=False), message(1), message(9)

    good, [poison] = split_off_poison([once, message(10), new, often], max_deliveries=10)

    assert good == [once, new, often]
    assert poison.message == message(10)
    assert poison.rejection.reason == (
        "max_deliveries: delivered 10 times before, and never acknowledged"
    )


def test_without_a_delivery_count_no_message_is_taken_out() -> None:
    """Classic queues do not count; a header of that name from the sender is no count."""
    text = b"".join(spec.BasicProperties(headers={"x-delivery-count": "99"}).encode())
    broken = b"\x20\x00\x00\x00\xff\xff"
    messages = [
        message(),
        replace(message(), properties=text),
        replace(message(), properties=broken),
    ]

    assert split_off_poison(messages, max_deliveries=1) == (messages, [])


def test_a_count_of_the_sender_is_ignored_in_a_message_that_is_not_redelivered() -> None:
    assert split_off_poison([message(99, redelivered=False)], max_deliveries=1)[1] == []


def test_redelivered_messages_start_a_slow_start() -> None:
    new = message(redelivered=False)
    assert not any_redelivered([new, new])
    assert any_redelivered([new, message(), new])


def test_a_probe_admits_one_message_until_it_is_accepted() -> None:
    """With any consumer before, and any small prefetch."""
    slow_start = SlowStart(50, probe=True)
    slow_start.arrived([message(1)], now=0.0)
    slow_start.update(held=1, now=PROBE_STEP_AFTER - 0.1)
    assert slow_start.prefetch == 1
    assert not slow_start.probe_has_grown

    slow_start.accepted()

    assert slow_start.prefetch == 50
    assert slow_start.over


def test_a_probe_whose_window_waits_for_more_admits_more() -> None:
    """A window by count alone never completes with one message."""
    slow_start, steps = SlowStart(60, probe=True), [1]
    slow_start.arrived([message(1)], now=0.0)
    for second in range(100):
        slow_start.update(held=slow_start.prefetch, now=float(second))
        if slow_start.prefetch != steps[-1]:
            steps.append(slow_start.prefetch)

    assert steps == [1, 4, 16, 60]
    assert slow_start.probe_has_grown
    assert not SlowStart(1, probe=True).probe_has_grown


@pytest.mark.parametrize(
    ("product", "version", "expected"),
    [
        ("RabbitMQ", "3.10.8", False),
        ("RabbitMQ", "4.2.9", False),
        ("RabbitMQ", "4.3.0", True),
        ("RabbitMQ", "4.3.0-rc.1", True),
        ("RabbitMQ", "10.0.0", True),
        ("LavinMQ", "4.3.0", False),
        ("RabbitMQ", "unknown", False),
        (None, None, False),
    ],
)
def test_a_nack_does_not_count_since_4_3(product: str, version: str, expected: bool) -> None:
    assert nack_counts_no_delivery({"product": product, "version": version}) == expected
