"""A day of a time zone, with early summaries and messages that are sent twice, through a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

WINDOW = "{tumbling: {every: 1d, zone: Europe/Berlin, emit_every: 1s, event_time: at}}"
AGGREGATE = """
  by: shop
  distinct: {by: order, for: 1h}
  reduce: {total: {sum: price}}
"""


def sell(rig: RabbitMQRig, order: int, at: str, price: int) -> None:
    """Publish a sale twice, as two messages."""
    body = json.dumps({"shop": 3, "order": order, "at": at, "price": price}).encode()
    for copy in "ab":
        name = f"{order}-{copy}"
        rig.publish(body, properties=pika.BasicProperties(message_id=name, delivery_mode=2))


def day(events: Index, completed_by: str, count: int) -> dict[str, Any] | None:
    """The summary of the day, if it is like this now."""
    found = [document["_source"] for document in events.documents()]
    days = [one for one in found if one["window_start"] == "2026-03-28T23:00:00.000Z"]
    [summary] = days or [{"completed_by": None, "count": 0}]
    return summary if (summary["completed_by"], summary["count"]) == (completed_by, count) else None


def test_a_day_of_berlin_is_exact_although_it_moves_and_a_process_is_killed(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The clock is put forward on that day, so it has 23 hours."""
    path = spec(tmp_path, rig, events, window=WINDOW, aggregate=AGGREGATE, on_stop="requeue")
    path.write_text(path.read_text().replace("prefetch:", "consumer_timeout: 48h\n    prefetch:"))
    sell(rig, 1, "2026-03-28T23:00:00Z", 5)
    sell(rig, 2, "2026-03-29T21:59:59Z", 7)
    with JobProcess(path) as job:
        early = until(lambda: day(events, "early", 2), timeout=60)
        assert early is not None
        assert early["total"] == 12
        assert early["fingerprint"].startswith("early:")
        job.kill()

    with JobProcess(path) as job:
        sell(rig, 3, "2026-03-29T10:00:00Z", 11)
        until(lambda: day(events, "early", 3), timeout=60)
        sell(rig, 4, "2026-03-29T22:00:00Z", 13)
        until(lambda: day(events, "window", 3), timeout=60)
        sell(rig, 3, "2026-03-29T10:00:00Z", 11)  # copies of a stored sale
        until(lambda: rig.left() == 0 and "2026-03-29T22" in str(events.documents()))
        assert job.drain() == 0

    final = day(events, "window", 3)
    assert final is not None
    assert (final["total"], final["window_end"]) == (23, "2026-03-29T22:00:00.000Z")
    until(lambda: rig.left() == 2)  # both copies of the fourth sale, whose day is open
    assert rig.parked() == []
