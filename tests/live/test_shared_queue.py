"""Several jobs on one queue, with groups by key: parts count each acknowledged message once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pika
import pytest

from tests.documents import PAGE, blocks
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

MESSAGES, KEYS, WINDOW = 3000, 10, 60
BEGIN = 1_767_348_000
"""2026-01-02T10:00:00Z, when the first window begins."""
AGGREGATE = """
  by: key
  on_stop: requeue
  reduce:
    total: {sum: amount}
    numbers: {list: n}
"""
WINDOWS = f"{{tumbling: {{every: {WINDOW}s, event_time: ts, lateness: 1s, idle_after: 3s}}}}"


def publish(rig: RabbitMQRig, numbers: range) -> None:
    """Ten messages a second of event time, with all keys in turn."""
    channel = rig.connection.channel()  # without a confirmation of each
    for n in numbers:
        body = {"n": n, "key": f"k{n % KEYS}", "amount": n % 7, "ts": BEGIN + n / 10}
        properties = pika.BasicProperties(message_id=f"m{n}", delivery_mode=2)
        channel.basic_publish("", rig.queue, json.dumps(body).encode(), properties)
    channel.close()


def counted(events: Index) -> int:
    return sum(document["_source"]["count"] for document in events.documents())


@pytest.fixture
def path(tmp_path: Path, rig: RabbitMQRig, events: Index) -> Path:
    options = {"prefetch": "1000", "window": WINDOWS, "aggregate": AGGREGATE}
    made = spec(tmp_path, rig, events, **options)
    made.write_text(made.read_text().replace("  on_stop: write\n", ""))
    return made


def parked(rig: RabbitMQRig) -> list[int]:
    """The numbers in parked messages and summaries."""
    bodies = [json.loads(body) for body, _ in rig.parked()]
    return [n for body in bodies for n in body.get("numbers", [body.get("n")])]


def check(events: Index, rig: RabbitMQRig) -> None:
    """Each message is in one document, or parked with its reason; and each document adds up."""
    documents = [document["_source"] for document in events.documents()]
    numbers = Counter(n for document in documents for n in document["numbers"])
    assert set(numbers.values()) == {1}
    for document in documents:
        assert document["count"] == len(document["numbers"])
        assert document["total"] == sum(n % 7 for n in document["numbers"])
        assert document["fingerprint"].startswith(f"{document['count']}:")
    assert {*numbers, *parked(rig)} == set(range(MESSAGES))
    reasons = {reason.partition(":")[0] for _, reason in rig.parked()}
    assert reasons <= {"late", "ambiguous_window"}
    assert rig.left() == 0


def test_two_jobs_write_parts_whose_counts_add_up_to_what_was_acknowledged(
    rig: RabbitMQRig, events: Index, path: Path
) -> None:
    """And the query in docs/aggregate.md sums them by window."""
    with JobProcess(path) as one, JobProcess(path) as other:
        one.wait_for_log("consuming")
        other.wait_for_log("consuming")
        publish(rig, range(MESSAGES))
        until(lambda: counted(events) == MESSAGES and rig.left() == 0, timeout=100)
        assert [one.drain(), other.drain()] == [0, 0]

    check(events, rig)
    assert rig.parked() == []
    windows = MESSAGES // 10 // WINDOW * KEYS
    assert len(events.documents()) > windows, "they have shared windows"
    [query] = [json.loads(b.text) for b in blocks("json", path=PAGE) if '"aggs"' in b.text]
    buckets = events.search(query)["aggregations"]["by_window"]["buckets"]
    assert len(buckets) == windows
    assert {bucket["messages"]["value"] for bucket in buckets} == {MESSAGES / windows}
    assert sum(bucket["total"]["value"] for bucket in buckets) == sum(
        n % 7 for n in range(MESSAGES)
    )


def test_a_job_that_overlaps_its_successor_loses_nothing(
    rig: RabbitMQRig, events: Index, path: Path
) -> None:
    """The second job gets the messages that the first one has not written when it stops."""
    publish(rig, range(MESSAGES // 2))
    with JobProcess(path) as old:
        until(lambda: counted(events) > 0, timeout=60)
        with JobProcess(path) as new:
            new.wait_for_log("consuming")
            publish(rig, range(MESSAGES // 2, MESSAGES))
            assert old.drain() == 0
            until(
                lambda: counted(events) + len(parked(rig)) >= MESSAGES and rig.left() == 0,
                timeout=60,
            )
            assert new.drain() == 0
            assert f"aggregate.by: queue {rig.queue} has 1 consumer of other jobs" in new.log

    check(events, rig)
