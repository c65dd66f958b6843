"""The samples of one reader are bounded, and the flow never waits for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from flows.tap.samples import GroupSample, Sample
from flows.tap.subscription import BUFFER, TapCounts, TapSubscription


def sample(value: int, now: float) -> Sample:
    return GroupSample(at=now, key=None, completed_by="count", members=value, start=0, end=0)


def offer(subscription: TapSubscription, values: Sequence[int], now: float) -> None:
    subscription.offer(values, str, sample, now)


def taken(subscription: TapSubscription) -> list[int]:
    return [one.members for one in subscription.take(0)[0] if isinstance(one, GroupSample)]


def test_no_more_than_the_rate_are_sampled() -> None:
    subscription = TapSubscription(rate=10, keys=None, now=0.0)

    for second in range(5):
        offer(subscription, range(20_000), now=float(second))

    assert len(taken(subscription)) == 50
    assert subscription.take(0)[1] == TapCounts(passed=100_000, sampled=50, dropped=0)


def test_a_reader_that_is_too_slow_loses_samples_and_learns_how_many() -> None:
    subscription = TapSubscription(rate=100, keys=None, now=0.0)

    for second in range(3):
        offer(subscription, range(1000), now=float(second))

    samples, counts = subscription.take(0)
    assert len(samples) == BUFFER
    assert counts == TapCounts(passed=3000, sampled=BUFFER, dropped=300 - BUFFER)


def test_nothing_is_made_of_what_is_dropped() -> None:
    made: list[int] = []
    subscription = TapSubscription(rate=100, keys=None, now=0.0)

    def noted(value: int, now: float) -> Sample:
        made.append(value)
        return sample(value, now)

    for second in range(3):
        subscription.offer(range(1000), str, noted, second)

    assert len(made) == BUFFER


def test_only_values_of_the_keys_are_sampled() -> None:
    subscription = TapSubscription(rate=10, keys=["7", "500"], now=0.0)

    offer(subscription, range(1000), now=0.0)

    assert taken(subscription) == [7, 500]
    assert subscription.take(0)[1].passed == 1000


def test_a_sample_wakes_the_reader() -> None:
    subscription = TapSubscription(rate=10, keys=None, now=0.0)
    thread = threading.Thread(target=offer, args=(subscription, [3], 0.0))

    thread.start()
    samples, _ = subscription.take(60)
    thread.join()

    assert len(samples) == 1


def test_a_reader_waits_only_so_long() -> None:
    assert TapSubscription(rate=1, keys=None, now=0.0).take(0.001) == ([], TapCounts(0, 0, 0))
