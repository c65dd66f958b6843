"""Silence that is our own fault is no silence."""

from __future__ import annotations

from connectors.message import Lost, Opened, Origin
from flows.accounts.books import Books
from flows.accounts.stall import Stall

ORIGIN = Origin("queue/000", 1)


class Job:
    """One consumer and one shard."""

    def __init__(self) -> None:
        self.books = Books()
        self.consumer = self.books.of_consumer("queue/000")
        self.consumer.take([Opened(ORIGIN)])
        self.sink = self.books.of_sink()
        self.stall = Stall(self.books, prefetch=10, idle_after=2.0)

    def keeps(self, now: float, unsettled: int = 10) -> bool:
        return self.stall.keeps(self.consumer, unsettled, now)


def test_a_full_consumer_waits_for_a_sink_that_says_nothing() -> None:
    job = Job()
    job.sink.note(entered=5, left=0, forgotten=0, open=5)

    assert [job.keeps(now) for now in (0.0, 0.9, 1.0, 9.0)] == [False, False, True, True]


def test_it_waits_for_nothing_while_the_sink_answers() -> None:
    """Then it is full of open windows, and nobody else could end them."""
    job = Job()
    job.sink.note(entered=5, left=0, forgotten=0, open=5)
    assert [job.keeps(now) for now in (0.0, 1.5)] == [False, True]
    job.sink.note(entered=5, left=1, forgotten=0, open=9)

    assert [job.keeps(now) for now in (2.0, 2.5)] == [False, False]


def test_nor_while_nothing_is_with_the_sink() -> None:
    job = Job()

    assert [job.keeps(now) for now in (0.0, 5.0)] == [False, False]


def test_who_may_hold_more_could_have_received_it() -> None:
    job = Job()
    job.sink.note(entered=5, left=0, forgotten=0, open=5)

    assert [job.keeps(now, unsettled=9) for now in (0.0, 5.0)] == [False, False]


def test_without_a_connection_nobody_can_say_anything() -> None:
    job = Job()
    job.consumer.take([Lost(ORIGIN)])

    assert job.keeps(0.0, unsettled=0)
