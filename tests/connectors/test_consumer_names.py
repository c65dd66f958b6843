"""Consumers over queues and workers: each queue is consumed, and no worker is without work."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.consumer_names import consumer_names, consumers_of_each


@pytest.mark.parametrize(
    ("queues", "workers", "each"),
    [(1, 1, 1), (1, 4, 4), (8, 2, 1), (8, 8, 1), (2, 4, 2), (3, 4, 2), (256, 1, 1)],
)
def test_each_queue_has_as_few_as_give_each_worker_one(
    queues: int, workers: int, each: int
) -> None:
    assert consumers_of_each(queues, workers) == each


def test_one_queue_has_the_names_it_always_had() -> None:
    """Ids of summaries without keys are made of them."""
    assert [*consumer_names(["orders"], 2)] == ["orders/000", "orders/001"]


def test_names_are_sorted_as_bytewax_sorts_partitions() -> None:
    """The position of a name in this list is what `Acknowledge.part_fn` tells Bytewax."""
    names = consumer_names(["o.2", "o.10", "o.1"], 2)

    assert [*names] == ["o.1/000", "o.1/001", "o.10/000", "o.10/001", "o.2/000", "o.2/001"]
    assert names["o.10/001"] == "o.10"


@given(
    st.lists(st.text("/a0", min_size=1, max_size=6), min_size=1, max_size=9, unique=True),
    st.integers(1, 9),
)
def test_every_queue_is_consumed_and_every_worker_consumes(queues: list[str], workers: int) -> None:
    """Names are unique, also where queues have slashes in theirs."""
    each = consumers_of_each(len(queues), workers)

    names = consumer_names(queues, each)

    assert Counter(names.values()) == dict.fromkeys(queues, each)
    assert [*names] == sorted(names)
    shares = Counter(position % workers for position in range(len(names)))
    assert len(shares) == workers
    assert max(shares.values()) - min(shares.values()) <= 1
