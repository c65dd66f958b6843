"""The prefetch is found by itself: within memory, and only as large as it helps."""

from __future__ import annotations

from connectors.prefetch import (
    FIRST_PREFETCH,
    FREE_SHARE,
    PERIOD,
    STUCK_AFTER,
    AdaptivePrefetch,
    Held,
)

MEMORY = 64 * 1024**2
ENOUGH = 0.05
"""Seconds for which a consumer is starved in these tests: more than growing needs."""


def adaptive(number: int | None = None, memory: int = MEMORY) -> AdaptivePrefetch:
    return AdaptivePrefetch(number, lambda: memory)


def of(messages: int, size: int = 1000) -> Held:
    return Held(messages, messages * size)


def starve(prefetch: AdaptivePrefetch, number: int, held: Held, now: float) -> int:
    prefetch.arrived(held, now)
    assert prefetch.grow(number, held, now) == 0
    prefetch.waited(ENOUGH, now + ENOUGH)
    return prefetch.grow(number, held, now + ENOUGH)


def test_the_prefetch_grows_fast_while_little_memory_is_used_and_then_doubles() -> None:
    assert steps_of(855) == [1000, 16_000, 32_000, 33_535]
    assert steps_of(1700) == [1000, 9868, 19_736]
    assert steps_of(10_000) == [1000, 2000, 3872]


def test_the_prefetch_grows_up_to_the_limit_of_amqp() -> None:
    assert steps_of(100) == [1000, 16_000, 49_535]  # beside the 16,000


def steps_of(size: int) -> list[int]:
    """The prefetches of a consumer that starves as soon as it is full of messages of this size."""
    found, steps, now = adaptive(), [FIRST_PREFETCH], 0.0
    while more := starve(found, steps[-1], of(steps[-1], size), now):
        steps.append(more)
        now += 2 * PERIOD
    return steps


def test_short_waits_add_up_to_a_share_of_the_time() -> None:
    """The sink's answers come one by one, and each lets in a few messages."""
    found, held = adaptive(), of(1000)
    for number in range(100):
        now = 0.010 * number
        found.arrived(held, now)
        found.waited(0.0, now + 0.005)
        found.waited(0.003, now + 0.008)
        if found.grow(1000, held, now + 0.008):
            break

    assert 2 <= number <= 5


def test_a_consumer_that_waits_seldom_does_not_grow() -> None:
    """A pause of the processor now and then is no reason."""
    found, held = adaptive(), of(1000)
    for number in range(300):
        now = 0.1 * number
        found.arrived(held, now)
        assert found.grow(1000, held, now + 0.085) == 0
        found.waited(0.006, now + 0.094)
        assert found.grow(1000, held, now + 0.094) == 0


def test_a_consumer_grows_while_each_acknowledgement_lets_in_a_message() -> None:
    """It receives messages all the time, and yet it is full."""
    found, held = adaptive(), of(1000)
    for number in range(100):
        now = 0.010 * number
        found.arrived(held, now - 0.001, used_up=True)
        found.waited(0.008, now)
        if more := found.grow(1000, held, now):
            break

    assert more == 16_000
    assert number <= 5


def test_a_consumer_grows_although_the_broker_is_slow_only_between_bursts() -> None:
    """It is full for a moment; then the broker needs most of the time for acknowledgements."""
    found, held = adaptive(), of(1000)
    for number in range(10):
        now = 0.5 * number
        found.arrived(of(500), now)
        found.arrived(held, now + 0.1, used_up=True)
        if more := found.grow(1000, held, now + 0.11):
            break
        for tick in range(1, 20):
            found.waited(0.020, now + 0.1 + 0.020 * tick)

    assert more == 16_000
    assert number == 1


def test_time_does_not_count_before_an_arrival_that_leaves_some_of_the_prefetch() -> None:
    found, held = adaptive(), of(1000)
    found.arrived(held, 0.0, used_up=True)
    found.arrived(held, 0.050)
    found.waited(0.050, 0.051)

    assert found.grow(1000, held, 0.051) == 0


def test_a_wait_counts_until_the_next_message_arrives() -> None:
    """No poll may notice its end."""
    found, held = adaptive(), of(1000)
    found.arrived(held, 0.0, used_up=True)
    found.waited(0.001, 0.001)
    assert found.grow(1000, held, 0.001) == 0
    found.arrived(held, 0.020, used_up=True)

    assert found.grow(1000, held, 0.021) == 16_000


def test_a_stuck_consumer_grows_even_if_less_than_double_fits() -> None:
    """The open groups hold all other messages, and only more messages complete them."""
    found, held = adaptive(), of(24_000, 1400)
    found.arrived(held, 0.0)
    found.waited(0.0, 0.0)
    assert found.grow(24_000, held, 0.0) == 0
    assert found.grow(24_000, held, 0.9 * STUCK_AFTER) == 0

    more = found.grow(24_000, held, STUCK_AFTER)

    assert held.bytes + more * 1400 <= MEMORY * (1 - FREE_SHARE) < held.bytes + (more + 2) * 1400


def test_the_prefetch_never_exceeds_memory() -> None:
    full = of(40_000, 1400)

    assert adaptive().step(20_000, full) == 0
    assert starve(adaptive(), 20_000, full, 0.0) == 0


def test_a_given_number_is_the_first_and_the_largest_prefetch() -> None:
    found = adaptive(4000)

    assert found.of_next(of(1), waited=0.0) == 4000
    assert found.step(4000, of(4000)) == 0
    assert found.step(1000, of(1000)) == 3000
    assert found.step(2500, of(3000)) == 1000


def test_the_second_consumer_knows_the_size_of_messages() -> None:
    assert adaptive().of_next(of(1, 4 * 1024**2), waited=0.0) == 13
    assert adaptive().of_next(of(1, 200), waited=0.0) == FIRST_PREFETCH
    assert adaptive(20_000).of_next(of(1, 100 * 1024), waited=0.0) == 572


def test_full_memory_lowers_a_prefetch_that_is_much_too_large() -> None:
    found, held = adaptive(20_000), Held(600, MEMORY)

    assert not found.may_read(held, reads=True)
    assert found.shrink(20_000, held)
    assert found.of_next(held, waited=0.0) == 0  # until there is room
    assert found.of_next(Held(300, MEMORY // 2), waited=0.0) == 224
    assert found.of_next(Held(500, MEMORY * 5 // 6), waited=STUCK_AFTER) == 25


def test_a_prefetch_that_is_about_right_is_not_lowered() -> None:
    """Lowering it costs a delivery of a quorum queue for each message on its way."""
    assert not adaptive().shrink(1000, Held(501, MEMORY))


def test_a_message_larger_than_memory_passes_alone() -> None:
    found, held = adaptive(memory=1000), Held(1, 5000)

    assert found.may_read(Held(), reads=False)
    assert not found.may_read(held, reads=True)
    assert found.of_next(Held(), waited=0.0) == FIRST_PREFETCH
    found.arrived(held, 0.0)
    assert found.of_next(Held(), waited=0.0) == 1


def test_a_message_that_has_no_room_is_not_read() -> None:
    """So eight consumers with large messages do not exceed their shares by a message each."""
    found = adaptive(memory=8000)

    assert found.may_read(Held(1, 3900), reads=True)
    assert not found.may_read(Held(2, 7800), reads=True)
    assert not found.may_read(Held(2, 6000), reads=False)
    assert found.may_read(Held(1, 3900), reads=False)
    assert found.may_read(Held(), reads=False)


def test_reading_continues_when_some_memory_is_free() -> None:
    found = adaptive(memory=8000)

    assert found.may_read(Held(70, 7500), reads=True)
    assert not found.may_read(Held(70, 7500), reads=False)
    assert found.may_read(Held(60, 6900), reads=False)
