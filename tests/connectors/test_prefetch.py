"""How far a prefetch grows, and that it stays within its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.memory.spec import MemorySource
from connectors.prefetch import MAX_BYTES, MAX_MESSAGES, growth
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import DEFAULT_PREFETCH

QUEUE = {"url": "amqp://host", "queue": "q"}


def test_a_full_consumer_holds_more_and_more_up_to_the_most_of_amqp() -> None:
    prefetch = held = DEFAULT_PREFETCH
    steps = []
    while more := growth(prefetch, held, held * 200):
        prefetch, held = more, held + more
        steps.append(held)

    assert steps == [12_000, 28_000, 60_000, 65_535]


@given(
    prefetch=st.integers(1, MAX_MESSAGES),
    held=st.integers(0, 2 * MAX_MESSAGES),
    mean=st.floats(0, 1e7),
)
def test_it_stays_within_its_bounds_and_never_becomes_small(
    prefetch: int, held: int, mean: float
) -> None:
    more = growth(prefetch, held, held * mean)

    assert more == 0 or more >= DEFAULT_PREFETCH
    assert more == 0 or held + more <= MAX_MESSAGES
    assert more == 0 or held == 0 or (held + more) * mean <= MAX_BYTES * 1.001


def test_large_messages_grow_it_less() -> None:
    assert growth(4000, 4000, 4000 * 20_000) == 8000
    assert growth(4000, 4000, 4000 * 40_000) == 0


@pytest.mark.parametrize("number", [4000, 1, 65_535])
def test_a_number_that_is_given_is_an_upper_limit(number: int) -> None:
    """Also one that is the same as the default."""
    assert not RabbitMQSource.model_validate({**QUEUE, "prefetch": number}).may_grow
    assert not MemorySource.model_validate({"prefetch": number}).may_grow


def test_the_default_may_grow_where_a_consumer_can_be_replaced() -> None:
    assert RabbitMQSource.model_validate(QUEUE).may_grow
    assert MemorySource().may_grow
    for arguments in ({"x-queue-type": "stream"}, {"x-single-active-consumer": True}):
        source = {**QUEUE, "declare": {"arguments": arguments}}
        assert not RabbitMQSource.model_validate(source).may_grow
