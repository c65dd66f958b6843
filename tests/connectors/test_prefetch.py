"""The prefetch is found by itself: within memory, and only as large as it helps."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from connectors.prefetch import (
    FIRST_PREFETCH,
    FREE_SHARE,
    MAX_MESSAGES,
    MESSAGE_OVERHEAD,
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
    return prefetch.grow(number, held, now + ENOUGH)


def test_the_prefetch_doubles_while_dataflow_and_sink_wait_up_to_the_limit_of_amqp() -> None:
    found, steps, now = adaptive(), [FIRST_PREFETCH], 0.0
    while more := starve(found, steps[-1], of(steps[-1], 100), now):
        steps.append(more)
        now += 2 * PERIOD

    assert steps == [1000, 2000, 4000, 8000, 16_000, 32_000, 33_535]
    assert found.wanted == 33_535  # beside those, which 32,000 more may still join


def test_short_waits_add_up_to_a_share_of_the_time() -> None:
    """The sink's answers come one by one, and each lets in a few messages."""
    found, held = adaptive(), of(1000)
    for number in range(100):
        now = 0.010 * number
        found.arrived(held, now)
        if found.grow(1000, held, now + 0.005) or found.grow(1000, held, now + 0.008):
            break

    assert 2 <= number <= 5


def test_a_consumer_that_waits_seldom_does_not_grow() -> None:
    """A pause of the processor now and then is no reason."""
    found, held = adaptive(), of(1000)
    for number in range(300):
        now = 0.1 * number
        found.arrived(held, now)
        assert found.grow(1000, held, now + 0.085) == 0
        assert found.grow(1000, held, now + 0.094) == 0


def test_a_stuck_consumer_grows_even_if_less_than_double_fits() -> None:
    """The open groups hold all other messages, and only more messages complete them."""
    found, held = adaptive(), of(24_000, 1400)
    found.arrived(held, 0.0)
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
    assert found.step(1000, of(1000)) == 2000
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


def test_reading_continues_when_some_memory_is_free() -> None:
    found = adaptive(memory=8000)

    assert found.may_read(Held(7, 7500), reads=True)
    assert not found.may_read(Held(7, 7500), reads=False)
    assert found.may_read(Held(6, 6900), reads=False)


class Channel:
    """A consumer and a broker that always has messages: sizes, rates and outages are drawn."""

    def __init__(self, memory: int) -> None:
        self.prefetch, self.now = adaptive(memory=memory), 0.0
        self.number, self.left, self.reads = 0, 0, True
        self.sizes: deque[int] = deque()
        self.waits_since: float | None = None
        self.subscribe()

    @property
    def held(self) -> Held:
        return Held(len(self.sizes), sum(self.sizes) + MESSAGE_OVERHEAD * len(self.sizes))

    def subscribe(self) -> None:
        waited = 0.0 if self.waits_since is None else self.now - self.waits_since
        self.number, self.left = self.prefetch.of_next(self.held, waited), len(self.sizes)
        self.waits_since = None if self.number else self.now - waited

    def read(self, count: int, size: int) -> None:
        for _ in range(count):
            if not self.reads or len(self.sizes) - self.left >= self.number:
                return
            self.sizes.append(size)
            self.prefetch.arrived(self.held, self.now)
            self.reads = self.prefetch.may_read(self.held, reads=True)
            if not self.reads and self.prefetch.shrink(self.number + self.left, self.held):
                self.subscribe()

    def settle(self, count: int) -> None:
        for _ in range(min(count, len(self.sizes))):
            self.sizes.popleft()
            self.left = max(0, self.left - 1)
        self.reads = self.prefetch.may_read(self.held, reads=self.reads)
        if not self.number:
            self.subscribe()

    def starve(self, seconds: float) -> None:
        for _ in range(2):
            if self.reads and len(self.sizes) - self.left >= self.number > 0:
                before = self.held
                if more := self.prefetch.grow(self.number, before, self.now):
                    mean = before.bytes / before.messages
                    assert before.bytes + more * mean <= self.prefetch.memory
                    assert before.messages + more <= MAX_MESSAGES
                    self.subscribe()
            self.now += seconds


@given(
    memory=st.integers(10_000, 10_000_000),
    moves=st.lists(
        st.one_of(
            st.tuples(
                st.just("read"),
                st.integers(1, 3000),
                st.one_of(st.integers(0, 2000), st.integers(0, 5_000_000)),
            ),
            st.tuples(st.just("settle"), st.integers(1, 3000)),
            st.tuples(st.just("starve"), st.floats(0, 2)),
        ),
        max_size=40,
    ),
)
def test_held_bytes_stay_within_memory_and_one_message(
    memory: int, moves: list[tuple[str, int | float, int] | tuple[str, int | float]]
) -> None:
    """For all sizes, rates and outages; replacing a consumer adds nothing."""
    channel = Channel(memory)
    for name, *values in moves:
        getattr(channel, name)(*values)
        last = channel.sizes[-1] + MESSAGE_OVERHEAD if channel.sizes else 0
        assert channel.held.bytes - last < memory
        assert channel.number <= MAX_MESSAGES
    # No state blocks for ever: after all is settled, and time has passed, messages are read.
    channel.settle(len(channel.sizes))
    channel.read(1, 5_000_000)
    assert len(channel.sizes) == 1
