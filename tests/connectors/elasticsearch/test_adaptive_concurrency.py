"""How many requests may be in flight at the same time."""

from __future__ import annotations

from connectors.elasticsearch.adaptive_concurrency import (
    MIN_SLOW_SECONDS,
    AdaptiveConcurrency,
    Latency,
)
from connectors.retry import Backoff


def pace(concurrency: int = 4) -> AdaptiveConcurrency:
    return AdaptiveConcurrency(concurrency, Backoff(1.0, 8.0))


def starts(pace: AdaptiveConcurrency, now: float = 0.0) -> int:
    """Start as many requests as allowed, and return their number."""
    number = 0
    while pace.allows(now):
        pace.start()
        number += 1
    return number


def test_as_many_requests_start_as_configured() -> None:
    assert starts(pace(4)) == 4


def test_an_answered_request_makes_room_for_one() -> None:
    some = pace(4)
    starts(some)

    some.succeed()

    assert starts(some) == 1


def test_overload_halves_the_requests_and_success_restores_them() -> None:
    some = pace(4)
    starts(some)
    for _ in range(2):
        some.throttle()
    assert starts(some) == 0  # two are in flight, one is allowed

    for _ in range(20):
        some.succeed()
        starts(some)

    for _ in range(4):
        some.succeed()
    assert starts(some) == 4


def test_one_request_is_always_allowed() -> None:
    some = pace(2)
    for _ in range(10):
        some.start()
        some.throttle()

    assert starts(some) == 1


def test_a_failure_pauses_all_requests() -> None:
    some = pace(4)
    some.start()

    some.fail(10.0, random=0.5)

    assert not some.allows(10.4)
    assert some.resume_at == 10.5
    assert some.allows(10.5)


def test_one_request_starts_after_the_pause_and_the_others_after_its_answer() -> None:
    some = pace(4)
    some.start()
    some.fail(0.0, random=0.5)
    assert starts(some, now=1.0) == 1

    for _ in range(10):
        some.succeed()
        assert some.allows(1.0)
        some.start()

    some.succeed()
    assert starts(some, now=1.0) == 4


def test_pauses_grow_while_failures_continue() -> None:
    some, now, pauses = pace(1), 0.0, []
    for _ in range(5):
        some.start()
        some.fail(now, random=1.0)
        pauses.append(some.resume_at - now)
        now = some.resume_at

    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]

    some.start()
    some.succeed()
    some.start()
    some.fail(now, random=1.0)
    assert some.resume_at == now + 1.0


def test_requests_that_fail_together_count_as_one_failure() -> None:
    some = pace(4)
    starts(some)

    for _ in range(4):
        some.fail(0.0, random=1.0)

    assert some.resume_at == 1.0


def test_a_slow_answer_removes_a_tenth_once_in_a_round() -> None:
    some = pace(10)
    starts(some)
    for _ in range(10):
        some.succeed(slow=True)

    assert starts(some) == 9  # the other nine were in flight already

    for _ in range(9):
        some.succeed(slow=True)
    assert starts(some) == 8


def test_fast_answers_restore_the_requests() -> None:
    some = pace(4)
    some.start()
    some.succeed(slow=True)
    assert starts(some) == 3

    for _ in range(3):
        some.succeed()
    assert starts(some) == 4


def test_one_request_is_allowed_however_slow() -> None:
    some = pace(2)
    for _ in range(50):
        some.start()
        some.succeed(slow=True)

    assert starts(some) == 1


def test_an_answer_is_slow_if_it_takes_twice_the_usual_time() -> None:
    latency = Latency()

    assert not latency.is_slow(10_000, 1.0)
    assert not latency.is_slow(10_000, 1.9)
    assert latency.is_slow(10_000, 2.5)


def test_each_request_size_has_its_own_usual_time() -> None:
    latency = Latency()
    for _ in range(20):
        latency.is_slow(10_000, 0.2)

    assert not latency.is_slow(1_000_000, 2.0)
    assert latency.is_slow(12_000, 2.0)


def test_an_answer_time_that_stays_high_becomes_usual() -> None:
    """Otherwise a busier cluster would get fewer and fewer requests."""
    latency = Latency()
    latency.is_slow(10_000, 0.2)

    slow = [latency.is_slow(10_000, 1.0) for _ in range(50)]

    assert slow[0]
    assert not slow[-1]


def test_random_variation_changes_nothing() -> None:
    latency = Latency()
    latency.is_slow(100, 0.001)

    assert not latency.is_slow(100, MIN_SLOW_SECONDS)
