"""When rejected messages are too many: by kind of reason, among the messages that were read."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.rabbitmq.reject_limit import RejectCounter
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RejectLimit

DEFAULT = RejectLimit()
HOUR = 3600.0


def limit(rejected: int, of: int) -> RejectLimit:
    return RejectLimit(rejected=rejected, of=of)


def stopped_after(counter: RejectCounter, tags: list[int], kind: str = "bad") -> int | None:
    """How many of these are rejected when the limit is reached; `None`: it never is."""
    for number, tag in enumerate(tags, start=1):
        if counter.rejected(kind, [tag], now=0.0):
            return number
    return None


def test_more_than_half_of_a_thousand_messages_in_a_row_are_too_many() -> None:
    """By default."""
    default = RabbitMQDeadLetter(routing_key="parked").reject_limit
    assert default is not None
    counter = RejectCounter(default)
    counter.read(4000)

    assert stopped_after(counter, [*range(1, 1001)]) == 501


def test_every_seventh_of_a_full_prefetch_is_not_too_many() -> None:
    """`count: 1000, time: 1s`: 4000 are read, and none is stored yet."""
    counter = RejectCounter(DEFAULT)
    counter.read(4000)

    assert stopped_after(counter, [*range(7, 4001, 7)]) is None
    assert not counter.is_all_rejected(awaiting_outcome=4000 - 571, now=HOUR)


def test_one_in_twenty_of_twenty_thousand_is_not_too_many() -> None:
    """`window: {time: 15s}`: 10,400 are read at once, and 520 are unreadable."""
    counter = RejectCounter(DEFAULT)
    counter.read(10_400)

    assert stopped_after(counter, [*range(20, 10_401, 20)]) is None
    assert not counter.is_all_rejected(awaiting_outcome=9880, now=14.0)


def test_a_few_errors_of_an_ingest_processor_are_not_too_many() -> None:
    """2.6 % of 20,000 are refused, all at once at the end."""
    counter = RejectCounter(DEFAULT)
    counter.read(20_000)

    assert stopped_after(counter, [*islice(range(1, 20_001, 38), 520)]) is None


def test_a_mapping_that_refuses_everything_stops_before_many_are_parked() -> None:
    """4000 are read and unanswered; the answers come for 500 at a time, the second 500 first."""
    counter = RejectCounter(DEFAULT)
    counter.read(4000)
    answers = [range(501, 1001), range(1, 501), range(1001, 1501), range(1501, 2001)]

    stopped = stopped_after(counter, [tag for answer in answers for tag in answer])

    assert stopped == 501


def test_kinds_count_separately_unless_nearly_all_messages_are_rejected() -> None:
    counter = RejectCounter(limit(50, of=100))
    counter.read(1000)
    for tag in range(1, 101):
        assert not counter.rejected("ab"[tag % 2], [tag], 0.0) or tag > 75

    assert counter.rejected("c", [101], 0.0)


def test_a_summary_counts_as_many_messages_as_it_contains() -> None:
    counter = RejectCounter(DEFAULT)
    counter.read(1000)

    groups = [list(range(at, at + 100)) for at in range(1, 1000, 100)]
    found = [counter.rejected("bad", group, 0.0) for group in groups]

    assert found.index(True) == 5


def test_messages_of_an_earlier_connection_come_first() -> None:
    """Tags begin again with each connection, the count of messages does not."""
    counter = RejectCounter(limit(2, of=10))
    counter.read(8)
    assert stopped_after(counter, [7, 8]) is None
    counter.connected()
    counter.read(100)

    assert stopped_after(counter, [90]) is None
    assert stopped_after(counter, [1]) == 1


def test_a_slow_stream_of_which_nothing_is_stored_reaches_the_limit() -> None:
    """Ten messages an hour reach it within two hours."""
    counter = RejectCounter(DEFAULT)
    for number in range(1, 21):
        now = 360.0 * number
        assert not counter.is_all_rejected(awaiting_outcome=1, now=now), number
        counter.read(number)
        assert not counter.rejected("bad", [number], now)

    assert counter.is_all_rejected(awaiting_outcome=0, now=360.0 * 20)


def test_a_burst_of_bad_messages_is_no_slow_stream() -> None:
    """A message was stored within ten seconds, or others are in flight."""
    counter = RejectCounter(DEFAULT)
    counter.read(100)
    assert stopped_after(counter, [*range(1, 51)]) is None

    assert not counter.is_all_rejected(awaiting_outcome=0, now=9.9)
    assert not counter.is_all_rejected(awaiting_outcome=50, now=HOUR)
    assert counter.is_all_rejected(awaiting_outcome=49, now=HOUR)
    counter.passed()
    assert not counter.is_all_rejected(awaiting_outcome=0, now=HOUR)


def test_cleared_rejections_do_not_count() -> None:
    counter = RejectCounter(limit(2, of=10))
    counter.read(10)
    assert stopped_after(counter, [1, 2, 3]) == 3
    counter.clear()

    assert stopped_after(counter, [4, 5]) is None
    assert stopped_after(counter, [6]) == 1


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 60)), max_size=60, unique_by=lambda t: t[1]
    ),
)
def test_the_counts_are_those_of_a_model_that_remembers_every_message(
    rejected: int, more: int, rejections: list[tuple[str, int]]
) -> None:
    """In any order, as long as all messages are within `2 * of`."""
    of = rejected + more
    counter, kinds = RejectCounter(limit(rejected, of)), dict[int, str]()
    for kind, tag in rejections[: 2 * of]:
        kinds[tag] = kind
        rows = [range(at, at + of) for at in range(tag - of + 1, tag + 1)]
        found = [Counter(kinds[at] for at in row if at in kinds) for row in rows]
        one_kind = any(row[kind] > rejected for row in found)
        any_kind = any(row.total() > (rejected + of) // 2 for row in found)

        assert counter.rejected(kind, [tag], 0.0) == (one_kind or any_kind)


def test_a_limit_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be more than rejected"):
        limit(1000, of=1000)
