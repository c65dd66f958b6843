"""Windows by event time in the state: written early, amended, in order, through `kill -9`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.live.state import kept
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

KEYS = 4
TEN, ELEVEN, TWELVE = (f"2020-03-28T{hour}:30:00Z" for hour in (10, 11, 12))


def windows_spec(folder: Path, rig: RabbitMQRig, events: Index, window: str, more: str) -> Path:
    return spec(
        *(folder, rig, events),
        window=window,
        on_stop="keep",
        aggregate=f"  by: key\n{more}  reduce: {{numbers: {{list: n}}, total: {{sum: n}}}}\n"
        f"state: {{path: {folder / 'state'}, commit: 200ms}}",
    )


def hours(folder: Path, rig: RabbitMQRig, events: Index, emit_every: str = "") -> Path:
    """Hours by event time, whose messages are sorted, and so on the disk."""
    window = f"{{tumbling: {{every: 1h, event_time: at{emit_every}}}}}"
    return windows_spec(folder, rig, events, window, "  order: n\n  late: amend\n")


def publish(rig: RabbitMQRig, numbers: Iterable[int], at: str) -> None:
    """Publish numbered messages of some keys, the largest number first."""
    for n in sorted(numbers, reverse=True):
        body = json.dumps({"key": n % KEYS, "n": n, "at": at}).encode()
        rig.publish(
            body, properties=pika.BasicProperties(message_id=f"{n} at {at}", delivery_mode=2)
        )


def hour(events: Index, at: str) -> list[dict[str, Any]]:
    """The summaries of the hour of a message, in the order of their keys."""
    found = [document["_source"] for document in events.documents()]
    return sorted(
        (one for one in found if one["window_start"][:13] == at[:13]), key=lambda one: one["key"]
    )


def has(events: Index, at: str, messages: int, *completed_by: str) -> bool:
    """Each message is in the one summary of its key and hour, in the order of the numbers."""
    summaries = hour(events, at)
    return (
        [one["numbers"] for one in summaries] == [[*range(k, messages, KEYS)] for k in range(KEYS)]
        and [one["count"] for one in summaries] == [messages // KEYS] * KEYS
        and {one["completed_by"] for one in summaries} <= {*completed_by}
    )


def test_an_hour_whose_messages_are_on_the_disk_moves_and_ends_exactly(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """A process is killed while it takes in messages and reads them for early summaries."""
    path = hours(tmp_path, rig, events, ", emit_every: 1s")
    publish(rig, range(400), TEN)
    with JobProcess(path) as job:
        until(lambda: has(events, TEN, 400, "early"), timeout=60)
        publish(rig, range(400, 2400), TEN)
        until(lambda: kept(tmp_path / "state") > 400, timeout=60)
        job.kill()
    with JobProcess(path) as job:
        until(lambda: has(events, TEN, 2400, "early"), timeout=60)
        publish(rig, range(2400, 2404), TEN)
        until(lambda: has(events, TEN, 2404, "early"), timeout=60)
        publish(rig, range(KEYS), ELEVEN)
        until(lambda: has(events, TEN, 2404, "window"), timeout=60)
        until(lambda: has(events, ELEVEN, KEYS, "early"), timeout=60)
        assert job.drain() == 0

    assert has(events, TEN, 2404, "window")
    assert events.count() == 2 * KEYS
    assert (rig.left(), rig.parked()) == (0, [])


def test_a_closed_hour_whose_messages_are_on_the_disk_is_amended_exactly(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """A process is killed while late messages arrive for hours that another one has written."""
    path = hours(tmp_path, rig, events)
    publish(rig, range(400), TEN)
    with JobProcess(path) as job:
        until(lambda: kept(tmp_path / "state") == 400, timeout=60)
        publish(rig, range(1000, 1000 + KEYS), TWELVE)
        until(lambda: has(events, TEN, 400, "window"), timeout=60)
        job.kill()
    publish(rig, range(400, 2400), TEN)
    with JobProcess(path) as job:
        until(lambda: sum(one["count"] for one in hour(events, TEN)) > 400, timeout=60)
        job.kill()  # in the middle of the late messages, and of revisions
    publish(rig, range(8), ELEVEN)  # a closed hour without messages
    with JobProcess(path) as job:
        until(lambda: has(events, TEN, 2400, "late"), timeout=60)
        until(lambda: has(events, ELEVEN, 8, "late"), timeout=60)
        until(lambda: rig.left() == 0)
        assert job.drain() == 0

    assert events.count() == 2 * KEYS  # the last hour is open
    assert rig.parked() == []


def test_sessions_of_hours_are_exact_although_their_messages_wait(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """A process is killed while it holds messages that wait for earlier ones, and has others."""
    window = "{idle: 2h, event_time: at, lateness: 10m}"
    path = windows_spec(tmp_path, rig, events, window, "")
    state = tmp_path / "state"
    publish(rig, range(400), TEN)
    publish(rig, range(400, 800), ELEVEN)
    with JobProcess(path) as job:
        until(lambda: kept(state) == 400, timeout=60)  # the others wait
        publish(rig, range(800, 1600), ELEVEN)
        publish(rig, range(1600, 2400), TWELVE)
        until(lambda: kept(state) > 400, timeout=60)
        job.kill()
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)  # the state may have all of them before
        until(lambda: kept(state) == 1600, timeout=60)
        assert job.drain() == 0
    until(lambda: rig.left() == 800)  # they wait in the broker now
    with JobProcess(path) as job:
        publish(rig, range(KEYS), "2020-03-28T15:30:00Z")  # another session
        until(lambda: events.count() == KEYS, timeout=60)
        assert job.drain() == 0

    found = {one["key"]: one for one in (d["_source"] for d in events.documents())}
    for key in range(KEYS):
        numbers = found[key]["numbers"]
        assert sorted(numbers) == [*range(key, 2400, KEYS)]
        assert numbers[:100] == sorted(numbers[:100], reverse=True)
        assert found[key]["completed_by"] == "idle"
    assert (rig.left(), rig.parked()) == (KEYS, [])
