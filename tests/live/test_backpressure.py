"""Windows with more messages than a consumer may hold: exact sums, and a reported cause."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from tests.live.forwarder import Forwarder
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import counted, wait_for, watched
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

START = 1_767_348_000
EACH, MINUTES = 4500, 2
"""Messages of a minute for each consumer, which holds 4000 at first."""
WINDOWS = "{tumbling: {every: 1m, event_time: ts, lateness: 1s, idle_after: 500ms}}"
SUMS = "  by: k\n  reduce: {total: {sum: n}}"


def publish(rig: RabbitMQRig, each: int) -> None:
    """Publish so many messages a minute, for `MINUTES`."""
    bodies = [
        json.dumps(
            {"k": n % 3, "n": n, "ts": START + n // each * 60 + round(n % each * 60 / each, 3)}
        ).encode()
        for n in range(MINUTES * each)
    ]
    properties = pika.BasicProperties(content_type="application/json")
    rig.publish(*bodies, properties=properties)
    until(lambda: rig.left() == len(bodies))


def expected(each: int) -> Counter[tuple[str, int]]:
    totals = Counter[tuple[str, int]]()
    for n in range(MINUTES * each):
        totals[f"2026-01-02T10:{n // each:02d}:00.000Z", n % 3] += n
    return totals


def sums(events: Index) -> dict[tuple[str, int], int]:
    found = [document["_source"] for document in events.documents()]
    assert len(found) == len({(one["window_start"], one["key"]) for one in found})
    return {(one["window_start"], one["key"]): int(one["total"]) for one in found}


def without_prefetch(path: Path) -> Path:
    path.write_text(path.read_text().replace("    prefetch: 4000\n", ""))
    return path


@pytest.mark.parametrize("slow", [False, True], ids=["sink-idle", "sink-slow"])
@pytest.mark.parametrize("consumers", [1, 2])
def test_windows_larger_than_the_prefetch_have_exact_sums(
    rig: RabbitMQRig,
    events: Index,
    forwarder: Forwarder,
    tmp_path: Path,
    consumers: int,
    slow: bool,
) -> None:
    """The full consumers are not idle for longer than `idle_after`: no message is late.

    A slow sink takes longer than `idle_after` to answer.
    """
    each = EACH * consumers
    publish(rig, each)
    values = {"window": WINDOWS, "aggregate": SUMS, "consumers": str(consumers)}
    sink = urlsplit(events.url)._replace(netloc=f"127.0.0.1:{forwarder.port}").geturl()
    values |= {"elasticsearch": sink, "on_stop": "requeue"}
    path = without_prefetch(spec(tmp_path, rig, events, **values))
    if slow:
        forwarder.slow(0.4)  # in each direction
    with JobProcess(path) as job:
        until(lambda: sums(events) == expected(each) and rig.left() == 0, timeout=60)
        assert "while the prefetch of" in job.log
        assert job.drain() == 0

    assert rig.parked() == []
    assert sums(events) == expected(each)


@pytest.mark.parametrize(
    ("window", "remedy"),
    [(WINDOWS, "window.tumbling.every shorter"), ("{count: 1000}", "add aggregate.window.time")],
    ids=["event-time", "keys"],
)
def test_the_cause_of_a_full_given_prefetch_is_reported(
    rig: RabbitMQRig, events: Index, tmp_path: Path, window: str, remedy: str
) -> None:
    """Within seconds, with the remedy; and no window is closed early."""
    publish(rig, 500)
    aggregate = "  by: n" if "count" in window else SUMS
    values = {"window": window, "aggregate": aggregate, "prefetch": "200", "on_stop": "requeue"}
    with JobProcess(watched(tmp_path, rig, events, **values)) as job:
        content = wait_for(job, "/health", 503, "has been full for")

        [reason] = [reason["cause"] for reason in content["reasons"]]
        assert "are in open groups, which wait for room; only messages that cannot" in reason
        assert "raise source.rabbitmq.prefetch" in reason
        assert remedy in reason
        job.wait_for_log("are in open groups")
        # One more than the prefetch: the message of the first consumer, after the start.
        assert counted(job, "hopper_prefetch") == counted(job, "hopper_open_members") == 201
        assert counted(job, 'hopper_blocked_consumers{held_by="open_groups"}') == 1
        assert job.drain() == 0
    assert events.documents() == []
    assert rig.parked() == []
    until(lambda: rig.left() == MINUTES * 500)


def test_groups_that_need_more_than_memory_are_reported(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The prefetch that is found grows as far as memory allows; then the groups wait for room."""
    publish(rig, 1000)
    values = {"window": "{count: 1000}", "aggregate": "  by: n", "on_stop": "requeue"}
    path = watched(tmp_path, rig, events, **values)
    found = "    prefetch: auto\n    memory: 1MiB\n"
    path.write_text(path.read_text().replace("    prefetch: 4000\n", found))
    with JobProcess(path) as job:
        content = wait_for(job, "/health", 503, "has been full for")

        assert "while the prefetch of 100" in job.log
        [reason] = [reason["cause"] for reason in content["reasons"]]
        assert "of 1MiB, and most of these messages are in open groups, which wait for" in reason
        assert "raise source.rabbitmq.memory; or take more processes" in reason
        job.wait_for_log("are in open groups")
        assert counted(job, 'hopper_blocked_consumers{held_by="open_groups"}') == 1
        held = counted(job, "hopper_open_members")
        assert 1001 < counted(job, "hopper_prefetch") == held < MINUTES * 1000
        assert job.drain() == 0
    assert events.documents() == []
    assert rig.parked() == []
    until(lambda: rig.left() == MINUTES * 1000)
