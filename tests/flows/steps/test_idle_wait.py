"""When workers wait, and what ends their wait."""

from __future__ import annotations

import threading
import time

import pytest

from connectors.message import Arrived, Message, Opened, Origin, Outcomes
from flows.audit.reconcile import Accounts
from flows.steps import idle_wait
from flows.steps.idle_wait import IdleWait
from tests.flows.settling import SettlingStub
from tests.waiting import until

ORIGIN = Origin("q/0", 1)
MESSAGE = Message(1, False, b"", b"", b"{}")


@pytest.fixture(autouse=True)
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that no test would survive, unless something ends it."""
    monkeypatch.setattr(idle_wait, "LONGEST", 3600.0)


def waiting(idle: IdleWait, count: int = 1) -> list[threading.Thread]:
    """Workers that have looked, and wait."""
    threads = [threading.Thread(target=idle.wait, args=(idle.calls,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: len(idle._changed._waiters) == count)  # type: ignore[attr-defined]
    return threads


def test_an_arrival_ends_the_wait_of_all_workers() -> None:
    idle = IdleWait(Accounts())
    threads = waiting(idle, 3)

    idle.wake()

    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_an_arrival_after_the_last_look_is_not_missed() -> None:
    idle = IdleWait(Accounts())
    seen = idle.calls
    idle.wake()

    idle.wait(seen)  # returns at once


def test_no_worker_waits_while_a_message_is_in_flight() -> None:
    """Its group may be due, and the answer about it may come."""
    accounts = Accounts()
    idle, account = IdleWait(accounts), accounts.open("q/0", SettlingStub())
    account.take([Opened(ORIGIN), Arrived(ORIGIN, [MESSAGE])])

    idle.wait(idle.calls)  # returns at once

    account.settle(Outcomes(ORIGIN, [1], []))
    [thread] = waiting(idle)
    idle.wake()
    thread.join(10)


@pytest.mark.parametrize("place", ["of_groups", "of_sink"])
def test_no_worker_waits_while_a_group_is_open_or_a_document_is_unanswered(place: str) -> None:
    accounts = Accounts()
    getattr(accounts, place)().note(entered=1, open=1)

    IdleWait(accounts).wait(0)  # returns at once


def test_a_wait_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a signal is seen."""
    monkeypatch.setattr(idle_wait, "LONGEST", 0.01)
    before = time.monotonic()

    IdleWait(Accounts()).wait(0)

    assert time.monotonic() - before >= 0.01
