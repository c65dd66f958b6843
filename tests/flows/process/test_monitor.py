"""What the monitor logs each second, and how often."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySource
from flows.audit.health import Health
from flows.audit.reconcile import Accounts
from flows.process.monitor import Monitor
from flows.process.stop import ProcessStop
from flows.process.systemd import Notifier


def watched(ahead: Callable[[], int] = lambda: 0) -> tuple[Accounts, Monitor]:
    accounts, stop = Accounts(), ProcessStop(3600, lambda: 0)
    source = MemoryQueueSource(MemorySource(name=("watch",)), workers=1)
    health = Health("orders", accounts, source, stop, patience=30)
    return accounts, Monitor(health, source, stop, ahead)


def test_a_mismatch_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Accounts that do not add up, once."""
    accounts, watch = watched()
    accounts.of_sink().note(entered=2, open=1)

    for second in range(5):
        watch.check(second, second)

    [(_, level, text)] = caplog.record_tuples
    assert level == logging.ERROR
    assert "sink of a shard: of 2 messages that entered, 0 have left" in text


def test_event_times_too_far_ahead_are_logged_seldom(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise nothing explains why their windows stay open."""
    counts = {0: 0, 1: 4, 2: 5, 61: 9, 62: 9}
    ahead = iter(counts.values())
    _, watch = watched(lambda: next(ahead))

    for second in counts:
        watch.check(second, second)

    assert [text.startswith("4 messages so far") for text in caplog.messages] == [True, False]
    assert caplog.messages[1].startswith("9 messages so far")


def test_systemd_hears_of_each_check(tmp_path: Path) -> None:
    """Alive at each one; that it stops, when a drain is requested."""
    accounts, stop = Accounts(), ProcessStop(3600, lambda: 0)
    source = MemoryQueueSource(MemorySource(name=("watch",)), workers=1)
    health = Health("orders", accounts, source, stop, patience=30)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{tmp_path}/notify")
        notifier = Notifier({"NOTIFY_SOCKET": f"{tmp_path}/notify"})
        watch = Monitor(health, source, stop, notifier=notifier)

        watch.check(0.0, 0.0)
        stop.request("SIGTERM")
        watch.check(1.0, 1.0)

        received = [systemd.recv(100) for _ in range(3)]
    assert received == [b"WATCHDOG=1", b"STOPPING=1", b"WATCHDOG=1"]
