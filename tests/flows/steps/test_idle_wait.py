"""When workers wait, and what ends their wait."""

from __future__ import annotations

import threading
import time

import pytest

from connectors.message import Arrived, Message, Opened, Origin, Outcomes
from flows.audit.reconcile import Accounts
from flows.config.window import WindowSpec
from flows.steps import idle_wait
from flows.steps.idle_wait import IdleWait
from tests.flows.settling import SettlingStub
from tests.waiting import until

ORIGIN = Origin("q/0", 1)
MESSAGE = Message(1, False, b"", b"", b"{}")


@pytest.fixture(autouse=True)
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that no test would survive, unless something ends it."""
    monkeypatch.setattr(idle_wait.IdleWait.wait, "__defaults__", (3600.0, 0.0))


def waiting(idle: IdleWait, count: int = 1) -> list[threading.Thread]:
    """Workers that have looked, and wait."""
    threads = [threading.Thread(target=idle.wait, args=(idle.calls,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: len(idle._changed._waiters) == count)  # type: ignore[attr-defined]
    return threads


def test_an_arrival_ends_the_wait_of_all_workers() -> None:
    idle = IdleWait(Accounts(), is_sole=False)
    threads = waiting(idle, 3)

    idle.wake()

    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_an_arrival_after_the_last_look_is_not_missed() -> None:
    idle = IdleWait(Accounts(), is_sole=True)
    seen = idle.calls
    idle.wake()

    idle.wait(seen)  # returns at once


def test_none_of_several_workers_waits_while_a_message_is_in_flight() -> None:
    """Its group may be due, and the answer about it may come."""
    accounts = Accounts()
    idle, account = IdleWait(accounts, is_sole=False), accounts.open("q/0", SettlingStub())
    account.take([Opened(ORIGIN), Arrived(ORIGIN, [MESSAGE])])

    idle.wait(idle.calls)  # returns at once

    account.settle(Outcomes(ORIGIN, [1], []))
    [thread] = waiting(idle)
    idle.wake()
    thread.join(10)


@pytest.mark.parametrize("place", ["of_groups", "of_sink"])
def test_none_of_several_waits_while_a_group_or_a_document_is_open(
    place: str,
) -> None:
    accounts = Accounts()
    getattr(accounts, place)().note(entered=1, open=1)

    IdleWait(accounts, is_sole=False).wait(0)  # returns at once


def test_a_wait_ends_by_itself() -> None:
    """So that a signal is seen."""
    before = time.monotonic()

    IdleWait(Accounts(), is_sole=True).wait(0, longest=0.01)

    assert time.monotonic() - before >= 0.01


class OneMessage:
    """The accounts of a process with one worker and one message, and its wait."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.idle = IdleWait(self.accounts, is_sole=True)
        self.consumer = self.accounts.open("q/0", SettlingStub())
        self.groups = self.accounts.of_groups()
        self.sink = self.accounts.of_sink()
        self.consumer.take([Opened(ORIGIN), Arrived(ORIGIN, [MESSAGE])])

    def waits(self) -> bool:
        """Whether the worker may wait; the wait ends at once, since a step is due."""
        self.idle.note_due(self, 0.0)
        return self.idle.wait(self.idle.calls)


def test_the_only_worker_waits_unless_a_message_is_between_two_steps() -> None:
    one = OneMessage()
    assert not one.waits()  # it is not read yet
    one.consumer.unread, one.consumer.sent = 0, 1
    assert not one.waits()  # on its way to its shard
    one.groups.note(entered=1, open=1)
    assert one.waits()  # in an open group
    one.groups.note(left=1, open=0)
    assert not one.waits()
    one.sink.note(entered=1, open=1)
    assert one.waits()  # at the sink
    one.sink.note(left=1, open=0)
    assert not one.waits()
    one.consumer.answered = 1
    assert one.waits()


def test_a_step_that_is_due_ends_the_wait_of_the_only_worker() -> None:
    """The one that is due first; a step without anything to do ends no wait."""
    idle, before = IdleWait(Accounts(), is_sole=True), time.monotonic()
    for step, seconds in (("a", 3600.0), ("b", 0.02), ("c", 0.0), ("c", None)):
        idle.note_due(step, seconds)

    assert idle.wait(idle.calls)

    assert time.monotonic() - before >= 0.02


def test_messages_collect_before_they_end_a_wait() -> None:
    """But not for longer than until a step is due."""
    idle = IdleWait(Accounts(), is_sole=True)
    seen, before = idle.calls, time.monotonic()
    idle.wake()

    assert idle.wait(seen, collect_until=before + 0.02)
    assert time.monotonic() >= before + 0.02

    idle.note_due("a step", 0.0)
    assert idle.wait(seen, collect_until=before + 3600.0)


@pytest.mark.parametrize(("window", "expected"), [("1s", 0.01), ("100ms", 0.01), ("50ms", 0.006)])
def test_messages_collect_for_less_time_where_windows_are_short(
    window: str, expected: float
) -> None:
    collect_seconds = WindowSpec.model_validate({"time": window}).collect_seconds
    idle = IdleWait(Accounts(), is_sole=True, collect_seconds=collect_seconds)

    assert idle.collect_seconds == pytest.approx(expected)
