"""Groups by key from end to end: the documents in Elasticsearch have the sums of the messages."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
from pika import frame
from pika import spec as amqp

from bench.fill import Publisher
from tests.live.forwarder import Forwarder
from tests.live.indices import Index
from tests.live.job import JobProcess, cluster
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live


def send(rig: RabbitMQRig, name: str, document: dict[str, Any], **properties: Any) -> None:
    rig.publish(
        json.dumps(document).encode(),
        properties=pika.BasicProperties(message_id=name, delivery_mode=2, **properties),
    )


def summaries(events: Index) -> list[dict[str, Any]]:
    """Summaries by key."""
    found = [document["_source"] for document in events.documents()]
    return sorted(found, key=lambda summary: json.dumps(summary["key"]))


ORDERS = """
  by: order
  reduce:
    lines: {list: line}
    total: {sum: amount}
"""


def test_orders_complete_with_their_last_message(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """With any messages in between; an incomplete order is written at the end."""
    path = spec(
        tmp_path,
        rig,
        events,
        window="{last: 'message.type == \"end\"', time: 10m}",
        aggregate=ORDERS,
    )
    for number in range(3):
        for line in range(1, 5):
            send(
                rig,
                f"{number}-{line}",
                {
                    "order": number,
                    "line": line,
                    "amount": 10 * number + line,
                    "type": "end" if line == 4 and number < 2 else "line",
                },
            )
    with JobProcess(path) as job:
        until(lambda: events.count() == 2 and rig.left() == 0)
        assert job.drain() == 0

    assert [(s["key"], s["lines"], s["total"], s["completed_by"]) for s in summaries(events)] == [
        (0, [1, 2, 3, 4], 10, "last"),
        (1, [1, 2, 3, 4], 50, "last"),
        (2, [1, 2, 3, 4], 90, "stop"),
    ]
    assert rig.left() == 0


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_stop_in_the_middle_of_an_order_splits_no_order(
    rabbitmq_url: str, events: Index, tmp_path: Path, queue_type: str
) -> None:
    """Its lines go back to the head of the queue, and the next process makes the whole order.

    Lines of the second order, published while no process runs, stay behind them.
    """
    aggregate = (
        "  by: order\n  incomplete: park\n"
        "  reduce: {items: {list: item}, total: {sum: price}, last: {last: type}}"
    )
    window = "{last: 'message.type == \"end\"', time: 10m}"
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": queue_type}) as rig:
        path = spec(tmp_path, rig, events, window=window, aggregate=aggregate)
        path.write_text(path.read_text().replace("  on_stop: write\n", ""))
        send(rig, "m1", {"order": 7, "item": "pen", "price": 3})
        send(rig, "m2", {"order": 8, "item": "ink", "price": 9.5})
        send(rig, "m3", {"order": 7, "item": "pad", "price": 4})
        with JobProcess(path) as job:
            job.wait_for_log("consuming")
            until(lambda: rig.left() == 0)
            send(rig, "m4", {"order": 9, "item": "cap", "type": "end"})
            until(lambda: events.count() == 1)
            assert job.drain() == 0
        assert "4 received, 1 stored, 0 rejected, 0 parked, 3 requeued" in job.log
        until(lambda: rig.left() == 3)
        send(rig, "m5", {"order": 7, "type": "end"})
        with JobProcess(path) as job:
            until(lambda: events.count() == 2)
            assert job.drain() == 0
        until(lambda: rig.left() == 1)
        assert rig.parked() == []

    [_, order] = sorted(events.documents(), key=lambda d: -d["_source"]["key"])
    found = order["_source"]
    assert (found["key"], found["count"], found["completed_by"]) == (7, 3, "last")
    assert (found["items"], found["total"], found["last"]) == (["pen", "pad"], 7, "end")


def test_documents_of_a_key_are_written_together_unchanged(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = spec(tmp_path, rig, events, window="{count: 3, time: 10m}", aggregate="  by: user")
    for number in range(9):
        send(rig, f"m{number}", {"n": number, "user": "abc"[number % 3]})
    send(rig, "lonely", {"n": 9})

    with JobProcess(path) as job:
        until(lambda: events.count() == 9)
        [(body, reason)] = until(rig.parked)
        assert job.drain() == 0

    assert events.numbers() == list(range(9))
    assert (body, reason) == (b'{"n": 9}', "missing_key: nothing in user")
    assert rig.left() == 0


def test_windows_by_event_time_close_by_the_watermark(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """By event time, not by arrival; a message that is late for a closed window is parked."""
    window = "{tumbling: {every: 1m, event_time: at, lateness: 10s, ahead: 100000d}}"
    path = spec(
        tmp_path, rig, events, window=window, aggregate="  by: host\n  reduce: {load: {max: load}}"
    )
    times = ["10:00:01", "10:01:00", "10:00:59.999", "10:01:09", "10:01:11", "10:00:30"]
    for number, at in enumerate(times):
        send(rig, f"m{number}", {"host": "a", "load": number, "at": f"2026-01-02T{at}Z"})

    with JobProcess(path) as job:
        [(body, reason)] = until(rig.parked)
        assert job.drain() == 0

    assert json.loads(body)["at"] == "2026-01-02T10:00:30Z"
    assert reason.startswith("late")
    found = {s["window_start"]: (s["load"], s["count"]) for s in summaries(events)}
    assert found == {
        "2026-01-02T10:00:00.000Z": (2, 2),
        "2026-01-02T10:01:00.000Z": (4, 3),
    }
    assert rig.left() == 0


def test_late_messages_held_at_a_crash_are_neither_lost_nor_replace_others(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The next process finds the window written, and cannot know whether it counts them."""

    def publish_at(time_of_day: str, *numbers: int) -> None:
        for n in numbers:
            send(rig, f"m{n}", {"host": "a", "n": n, "at": f"2026-01-02T{time_of_day}Z"})

    window = "{tumbling: {every: 1m, event_time: at}}"
    aggregate = "  by: host\n  reduce: {numbers: {list: n}}"
    path = spec(
        tmp_path, rig, events, window=window, aggregate=aggregate, consumers="1", prefetch="1000"
    )
    publish_at("10:00:30", 1, 2)
    publish_at("10:02:30", 3)
    with JobProcess(path) as job:
        until(events.documents)
        assert job.drain() == 0
    publish_at("10:00:40", 4, 5)
    with JobProcess(path) as job:
        until(lambda: rig.left() == 0)
        job.kill()
    until(lambda: rig.left() == 2)
    publish_at("10:04:30", 6)
    with JobProcess(path) as job:
        [(body, properties)] = until(rig.parked_whole)
        assert job.drain() == 0

    whole = '"a"@2026-01-02T10:00:00.000Z'
    assert json.loads(body)["numbers"] == [4, 5]
    assert properties.headers["x-hopper-reason"].startswith("ambiguous_window: ")
    assert properties.headers["x-hopper-id"] == whole
    found = {d["_id"]: d["_source"]["numbers"] for d in events.documents()}
    assert found.pop(whole) == [1, 2]
    assert sorted(found.values()) == [[3], [6]]
    assert rig.left() == 0


def test_messages_that_wait_for_elasticsearch_do_not_become_late(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The consumer is silent for longer than `idle_after`, but only because it is full."""
    window = "{tumbling: {every: 1s, event_time: at, lateness: 1s, idle_after: 2s, ahead: 100000d}}"
    for n in range(3000):
        send(rig, f"m{n}", {"n": n, "key": n % 3, "at": 1767348000 + n / 100})
    elasticsearch = urlsplit(events.url)
    assert elasticsearch.hostname
    with Forwarder(elasticsearch.hostname, elasticsearch.port or 9200) as front:
        front.refuse(True)
        path = spec(
            tmp_path,
            rig,
            events,
            elasticsearch=f"http://127.0.0.1:{front.port}",
            prefetch="1000",
            window=window,
            aggregate="  by: key\n  reduce: {numbers: {list: n}}",
        )
        with JobProcess(path) as job:
            until(lambda: rig.left() <= 2000)
            away_until = time.monotonic() + 6
            until(lambda: time.monotonic() > away_until)
            front.refuse(False)
            until(lambda: rig.left() == 0, timeout=60)
            assert job.drain() == 0

    stored = [n for d in events.documents() for n in d["_source"]["numbers"]]
    assert sorted(stored) == list(range(3000))
    assert rig.parked() == []


def test_a_command_or_a_signal_completes_groups(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Of one key, of all keys, of the process; and the command is acknowledged."""
    path = spec(tmp_path, rig, events, window="{time: 10m}", aggregate=ORDERS)
    for key in "abc":
        send(rig, key, {"order": key, "amount": 1})
    with JobProcess(path) as job:
        send(rig, "command", {"order": "b"}, headers={"x-hopper": "complete"})
        until(lambda: events.count() == 1)
        assert [s["key"] for s in summaries(events)] == ["b"]

        rig.publish(
            b"",
            properties=pika.BasicProperties(
                headers={"x-hopper": "complete", "x-hopper-key": "*"}, delivery_mode=2
            ),
        )
        until(lambda: events.count() == 3)

        send(rig, "d", {"order": "d", "amount": 1})

        def signalled() -> bool:
            """Repeatedly: the message may be on its way at the first signal."""
            job.process.send_signal(signal.SIGUSR1)
            return events.count() == 4

        until(signalled)
        assert job.drain() == 0

    assert {s["completed_by"] for s in summaries(events)} == {"forced"}
    assert rig.left() == 0
    assert rig.parked() == []


def test_a_split_message_is_settled_when_all_its_documents_have_an_outcome(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Only the rejected document is parked."""
    events.create({"n": {"type": "integer"}})
    path = spec(tmp_path, rig, events)
    rig.publish(b'[{"n": 0}, {"n": "many"}, {"n": 2}]')
    rig.publish(b'{"n": 3}\n{"n": 4}', properties=pika.BasicProperties("application/x-ndjson"))

    with JobProcess(path) as job:
        until(lambda: events.count() == 4)
        [(body, reason)] = until(rig.parked)
        assert job.drain() == 0

    assert events.numbers() == [0, 2, 3, 4]
    assert json.loads(body) == [{"n": "many"}]
    assert reason.startswith("1 of 3 documents")
    assert rig.left() == 0


KEYS = 100_000
SUMS = """
  by: key
  reduce:
    total: {sum: amount}
"""


def test_a_hundred_thousand_keys_on_two_processes(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Thousands are open at once; messages of a key meet, from any process."""
    events.create({"total": {"type": "long"}, "key": {"type": "integer"}})
    path = spec(
        tmp_path,
        rig,
        events,
        # For each acknowledgement out of order the broker searches all unacknowledged messages of
        # the channel: many consumers that hold little are faster than few that hold much.
        consumers="8",
        prefetch="2000",
        window="{count: 2, time: 10m}",
        aggregate=SUMS,
    )
    amounts = publish_pairs(rig)
    with cluster(path, path) as (first, second):
        until(lambda: events.total("count")[0] == KEYS, timeout=240)
        assert first.drain() == 0
        assert second.process.wait(30) == 0

    assert events.total("total") == (KEYS, amounts)
    assert events.total("count") == (KEYS, 2 * KEYS)
    assert rig.left() == 0


def publish_pairs(rig: RabbitMQRig) -> int:
    """Two messages for each key, the second ones in another order; return the sum of amounts."""
    order, keys = random.Random(KEYS), list[int]()
    for start in range(0, KEYS, 5000):
        block = range(start, start + 5000)
        keys += [*block, *order.sample(block, len(block))]
    method = frame.Method(1, amqp.Basic.Publish(routing_key=rig.queue)).marshal()
    frames = []
    for number, key in enumerate(keys):
        body = b'{"key":%d,"amount":%d}' % (key, number)
        properties = pika.BasicProperties(message_id=str(number), delivery_mode=2)
        header = frame.Header(1, len(body), properties).marshal()
        frames.append(method + header + frame.Body(1, body).marshal())
    blocks = [b"".join(frames[at : at + 2000]) for at in range(0, len(frames), 2000)]
    with Publisher(rig.direct_url) as publisher:
        publisher.publish(blocks, len(frames))
    return sum(range(len(frames)))
