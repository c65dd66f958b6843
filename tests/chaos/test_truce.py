"""Faults of several lanes happen at once, except those that need quiet."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.chaos.truce import Truce
from tests.waiting import until


@pytest.fixture
def truce() -> Truce:
    return Truce()


def beside(lane: str, truce: Truce, *quiet: str) -> tuple[threading.Event, Callable[[], None]]:
    """A fault in its own thread: an event that is set while it lasts, and a function to end it."""
    goes_on, over = threading.Event(), threading.Event()

    def fault() -> None:
        with truce.breaking(lane, quiet):
            goes_on.set()
            over.wait(10)

    thread = threading.Thread(target=fault, daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join(10)

    return goes_on, end


def test_faults_of_several_lanes_happen_at_once(truce: Truce) -> None:
    with truce.breaking("job"), truce.breaking("store"):
        pass


def test_a_fault_that_needs_quiet_waits_for_others_and_delays_them(truce: Truce) -> None:
    _, end_restart = beside("store", truce)
    deletes, end_deletion = beside("broker", truce, "store", "job", "broker")
    assert not deletes.wait(0.05)
    end_restart()
    assert deletes.wait(10)

    kills, end_kill = beside("job", truce)
    assert not kills.wait(0.05)
    end_deletion()
    assert kills.wait(10)
    end_kill()


def test_lanes_that_need_not_be_quiet_go_on(truce: Truce) -> None:
    with truce.breaking("way to the store", ("job",)), truce.breaking("store"):
        pass


def test_two_faults_that_need_quiet_do_not_block_each_other(truce: Truce) -> None:
    _, end_restart = beside("store", truce)
    faults = [beside(lane, truce, "store", "broker", "way") for lane in ("broker", "way")]
    end_restart()

    until(lambda: any(goes_on.is_set() for goes_on, _ in faults), 10)
    first, second = sorted(faults, key=lambda fault: not fault[0].is_set())
    assert not second[0].wait(0.05)
    first[1]()
    assert second[0].wait(10)
    second[1]()
