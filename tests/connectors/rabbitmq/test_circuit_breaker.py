"""A consumer that has stopped reads probes, and parks one message for each failed probe."""

from __future__ import annotations

from connectors.rabbitmq.circuit_breaker import (
    MAX_PAUSE_OF_MANY,
    MAX_WITHHOLDING,
    RESET_AFTER,
    CircuitBreaker,
)
from connectors.rabbitmq.spec import RejectLimit
from connectors.reject_pace import FIRST_PAUSE, MAX_PAUSE


class Stream:
    """A consumer's connections, and their messages."""

    def __init__(self, limit: RejectLimit | None = None) -> None:
        self.breaker = CircuitBreaker(limit or RejectLimit(rejected=3, of=10))
        self.now = 0.0
        self.parked = 0
        self.breaker.connected(self.now)

    def reject(self, count: int, *, by_sink: bool = True) -> None:
        self.breaker.read(count)
        for tag in range(1, count + 1):
            self.parked += self.breaker.rejected("bad", [tag], by_sink, self.now)
        self.breaker.update(awaiting_outcome=0, now=self.now)

    def probe(self) -> None:
        """Wait for the end of the pause."""
        assert self.breaker.is_open
        self.now = self.breaker.resume_at
        self.breaker.connected(self.now)
        assert self.breaker.is_half_open

    def failed_probes(self, count: int, *, messages: int = 1) -> list[float]:
        pauses = []
        for _ in range(count):
            self.probe()
            self.reject(messages)
            pauses.append(self.breaker.pause)
        return pauses


def test_it_stops_when_the_limit_is_reached_and_parks_no_more() -> None:
    stream = Stream()
    stream.reject(100)

    assert stream.breaker.is_open
    assert stream.parked == 3
    assert stream.breaker.resume_at == FIRST_PAUSE


def withholding(rejections: int = 600) -> CircuitBreaker:
    """Of 3500 messages in flight, so many in a row are rejected."""
    breaker = CircuitBreaker(RejectLimit())
    breaker.read(3500)
    for tag in range(1000, 1000 + rejections):
        breaker.rejected("bad", [tag], False, 0.0)
    breaker.update(3500 - rejections, 0.0)
    assert breaker.is_withholding
    return breaker


def test_a_burst_of_bad_messages_among_good_ones_stops_nothing() -> None:
    """Rejected messages beyond the limit wait until the outcomes of the others are known."""
    breaker = withholding()
    breaker.stored(100, 10.0)
    breaker.update(2800, 10.0)
    assert breaker.is_withholding
    breaker.stored(1, 15.0)
    breaker.update(2799, 15.0)

    assert not breaker.is_withholding
    assert not breaker.is_open
    assert breaker.rejected("bad", [3500], False, 15.0)


def test_it_stops_when_the_other_messages_in_flight_cannot_change_the_result() -> None:
    """A mapping that refuses everything is noticed while half of the messages wait for answers."""
    breaker = withholding(1900)
    for tag in range(3000, 3100):
        assert not breaker.rejected("bad", [tag], True, 1.0)
    breaker.update(1500, 1.0)
    assert breaker.is_withholding
    breaker.update(1499, 1.0)

    assert breaker.is_open


def test_a_suspicion_does_not_last_long() -> None:
    """Long windows may hold more messages than are ever rejected at a time."""
    breaker = withholding()
    breaker.stored(1, 1.0)
    breaker.update(2899, MAX_WITHHOLDING - 0.1)
    assert breaker.is_withholding
    breaker.update(2899, MAX_WITHHOLDING)

    assert breaker.is_open


def test_a_lost_connection_ends_the_suspicion() -> None:
    """All messages in flight are redelivered."""
    breaker = withholding()
    breaker.connected(1.0)

    assert not breaker.is_withholding
    assert not breaker.is_open


def test_a_connection_that_returns_before_the_pause_is_over_is_no_probe() -> None:
    stream = Stream()
    stream.reject(100)
    stream.breaker.connected(FIRST_PAUSE / 2)

    assert stream.breaker.is_open
    assert not stream.breaker.is_half_open


def test_a_stored_probe_ends_the_stop() -> None:
    stream = Stream()
    stream.reject(100)
    stream.probe()
    stream.breaker.read(1)
    stream.breaker.stored(1, stream.now)

    assert not stream.breaker.is_open
    assert not stream.breaker.is_half_open
    stream.reject(3)
    assert stream.parked == 6


def test_a_rejected_probe_is_parked_and_the_next_pause_is_longer() -> None:
    stream = Stream()
    stream.reject(100)

    pauses = stream.failed_probes(12)

    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == MAX_PAUSE
    assert stream.parked == 3 + 12


def test_a_probe_of_many_messages_is_tried_seldom() -> None:
    """A quorum queue counts each delivery, so ten allowed deliveries must last for hours."""
    stream = Stream()
    stream.reject(100)

    pauses = stream.failed_probes(8, messages=1000)

    assert pauses[:4] == [4.0, 16.0, 64.0, 256.0]
    assert pauses[-1] == MAX_PAUSE_OF_MANY
    assert stream.parked == 3 + 8


def test_a_bad_message_among_good_ones_does_not_fail_the_probe() -> None:
    """A good one waits for its window, while a bad one is rejected at once."""
    stream = Stream()
    stream.reject(100)
    stream.probe()
    stream.breaker.read(20)
    assert stream.breaker.rejected("unreadable", [5], False, stream.now)

    assert stream.breaker.is_half_open


def test_an_unreadable_body_fails_the_probe_if_it_comes_first() -> None:
    stream = Stream()
    stream.reject(100, by_sink=False)
    stream.probe()
    stream.reject(50, by_sink=False)

    assert stream.breaker.is_open
    assert stream.parked == 3 + 1


def test_a_message_with_too_many_deliveries_is_no_probe() -> None:
    stream = Stream()
    stream.breaker.fail(0.0)
    assert not stream.breaker.is_open
    stream.reject(100)
    stream.probe()
    stream.breaker.fail(stream.now)

    assert stream.breaker.is_open


def test_pauses_become_short_again_only_after_a_long_time_of_consuming() -> None:
    """Otherwise a queue of which half is bad would be tried, and parked, each second."""
    stream = Stream()
    stream.reject(100)
    for expected in (2.0, 4.0):
        stream.probe()
        stream.breaker.stored(1, stream.now)
        stream.reject(100)
        assert stream.breaker.pause == expected

    stream.probe()
    stream.breaker.stored(1, stream.now)
    stream.now += RESET_AFTER
    stream.reject(100)
    assert stream.breaker.pause == FIRST_PAUSE


def test_pauses_become_short_again_after_many_stored_messages() -> None:
    """So after each of several short blocks of an index, the consumer soon reads again."""
    stream = Stream(RejectLimit(rejected=3, of=10))
    stream.reject(100)
    for stored, expected in ((99, 2.0), (100, FIRST_PAUSE)):
        stream.probe()
        stream.breaker.stored(stored, stream.now)
        stream.reject(100)
        assert stream.breaker.pause == expected


def test_a_slow_stream_of_which_nothing_is_stored_stops_the_consumer() -> None:
    """Of 193 messages, ten an hour, 19 are parked before it stops."""
    stream = Stream(RejectLimit())
    for number in range(1, 194):
        stream.now = 360.0 * number
        stream.breaker.read(number)
        stream.parked += stream.breaker.rejected("bad", [number], True, stream.now)
        stream.breaker.update(awaiting_outcome=0, now=stream.now)

    assert stream.breaker.is_open
    assert stream.parked == 20


def test_a_message_that_a_lost_connection_kept_from_being_parked_counts_once() -> None:
    """Alone at the head of the queue, since the good ones are acknowledged; often."""
    stream = Stream()
    stream.reject(2)
    for _ in range(5):
        stream.breaker.lost(unparked=2)
        stream.breaker.connected(stream.now)
        stream.breaker.read(2)
        for tag in (1, 2):
            assert stream.breaker.rejected("bad", [tag], False, stream.now, redelivered=True)
        stream.now += 60.0
        stream.breaker.update(awaiting_outcome=0, now=stream.now)
        assert not stream.breaker.is_open

    stream.breaker.read(6)
    found = [stream.breaker.rejected("bad", [tag], False, stream.now) for tag in (3, 4, 5, 6)]
    assert found == [True, True, True, False]


def test_what_was_withheld_when_the_connection_was_lost_is_counted_again() -> None:
    breaker = withholding()
    breaker.lost(unparked=600)
    breaker.connected(1.0)
    breaker.read(3500)
    for tag in range(1000, 1600):
        breaker.rejected("bad", [tag], False, 1.0, redelivered=True)

    assert breaker.is_withholding


def test_a_new_connection_begins_a_new_run() -> None:
    """Messages of the last one may be good, but are in flight no more."""
    stream = Stream(RejectLimit())
    stream.reject(100)
    stream.now = 60.0
    stream.breaker.connected(stream.now)
    stream.breaker.update(awaiting_outcome=0, now=stream.now)

    assert not stream.breaker.is_open


def test_without_a_limit_it_never_stops() -> None:
    breaker = CircuitBreaker(None)
    breaker.connected(0.0)
    for number in range(1, 5000):
        breaker.read(number)
        assert breaker.rejected("bad", [number], True, float(number))
        breaker.update(awaiting_outcome=0, now=float(number))
    breaker.stored(1, 5000.0)

    assert not breaker.is_open
