"""What the monitor says each second, and how often."""

from __future__ import annotations

import logging

import pytest
from prometheus_client import REGISTRY

from connectors.memory.sink import MemoryStoreSink as MemorySink
from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySink as SinkSpec
from connectors.memory.spec import MemorySource
from flows.audit.health import Health
from flows.audit.metrics import show
from flows.audit.monitor import Monitor
from flows.audit.reconcile import Accounts
from flows.process.stop import Stop


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_each_second_the_watch_tells_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    """Values that were skipped since; and accounts that do not add up, once."""
    accounts, source = Accounts(), MemoryQueueSource(MemorySource(name="watch"), workers=1)
    stop = Stop(3600, lambda: 0)
    watch = Monitor(accounts, Health(accounts, source, stop, patience=30), source, stop)
    show(accounts, source, MemorySink(SinkSpec(name="watch")))
    accounts.skipped = lambda: 3
    accounts.of_sink().note(entered=2, open=1)

    for second in range(5):
        watch.check(second)

    assert counted("hopper_skipped_values_total") == 3
    [(_, level, text)] = caplog.record_tuples
    assert level == logging.ERROR
    assert "sink of a shard: of 2 messages that came, 0 have left" in text


def test_the_watch_reminds_seldom_of_clocks_that_go_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """Whose windows do not end by them: the reason would stay unknown."""
    accounts, source = Accounts(), MemoryQueueSource(MemorySource(name="watch"), workers=1)
    stop = Stop(3600, lambda: 0)
    watch = Monitor(accounts, Health(accounts, source, stop, patience=30), source, stop)
    show(accounts, source, MemorySink(SinkSpec(name="watch")))
    counts = {0: 0, 1: 4, 2: 5, 61: 9, 62: 9}

    for second, count in counts.items():
        accounts.ahead = lambda count=count: count  # type: ignore[misc]  # it has the default
        watch.check(second)

    assert counted("hopper_ahead_total") == 9
    assert ["of 4 messages so far" in text for text in caplog.messages] == [True, False]
    assert "of 9 messages so far" in caplog.messages[1]
