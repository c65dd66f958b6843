"""One job on several queues, on real services: keys meet, and each queue is consumed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pika
import pytest

from connectors.errors import Unavailable
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.survey import survey
from tests.live.indices import Index
from tests.live.job import JobProcess, cluster
from tests.live.monitoring import wait_for
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = pytest.mark.live

QUEUES = 8
KEYS = 500
"""Each has a message in every queue."""


@pytest.fixture
def queues(rig: RabbitMQRig) -> list[str]:
    return rig.more_queues(QUEUES)


def pipeline(folder: Path, rig: RabbitMQRig, events: Index, aggregate: str, **values: str) -> Path:
    path = spec(folder, rig, events, aggregate=aggregate, **values)
    pattern = f"{rig.queue}.{{0..{QUEUES - 1}}}"
    path.write_text(path.read_text().replace(f"queue: {rig.queue}\n", f"queue: {pattern}\n", 1))
    return path


def publish(rig: RabbitMQRig, queues: Sequence[str], keys: range) -> None:
    """A message of each key to each queue, confirmed."""
    for key in keys:
        for position, queue in enumerate(queues):
            number = key * len(queues) + position
            properties = pika.BasicProperties(message_id=str(number), delivery_mode=2)
            rig.publish_to(queue, b'{"n":%d,"key":%d}' % (number, key), properties=properties)


def has(events: Index, count: int) -> bool:
    return events.count() >= count


def left(rig: RabbitMQRig, queues: Sequence[str]) -> int:
    return sum(rig.left_in(queue) for queue in queues)


def test_a_killed_process_loses_nothing_of_eight_queues(
    rig: RabbitMQRig, queues: list[str], events: Index, tmp_path: Path
) -> None:
    """Every message is stored once, and confirmed in its own queue."""
    path = pipeline(tmp_path, rig, events, "  by: key", window=f"{{count: {QUEUES}, time: 500ms}}")
    with cluster(path, path, options=("-w", "2")) as (first, second):
        for job in (first, second):
            job.wait_for_log("consuming", timeout=60)
        publish(rig, queues, range(KEYS // 2))
        until(lambda: events.count() >= 300)
        second.kill()
        assert first.process.wait(30) == 1
    publish(rig, queues, range(KEYS // 2, KEYS))

    with cluster(path, path, options=("-w", "2")) as jobs:
        until(lambda: events.count() == QUEUES * KEYS, timeout=60)
        logs = "".join(job.log for job in jobs)
        for queue in queues:
            assert logs.count(f"{queue}/000: consuming") == 1, "each queue has one consumer"
        shares = [job.log.count(": consuming") for job in jobs]
        assert shares == [QUEUES / 2, QUEUES / 2]
        assert jobs[1].drain() == 0
        assert jobs[0].process.wait(30) == 0

    assert events.numbers() == list(range(QUEUES * KEYS))
    assert left(rig, queues) == 0
    assert rig.parked() == []


def test_messages_of_a_key_meet_across_queues_and_processes(
    rig: RabbitMQRig, queues: list[str], events: Index, tmp_path: Path
) -> None:
    aggregate = "  by: key\n  reduce: {numbers: {list: n}, from: {distinct: queue}}"
    window = f"{{count: {QUEUES}, time: 10m}}"
    path = pipeline(tmp_path, rig, events, aggregate, window=window)
    publish(rig, queues, range(KEYS))
    with cluster(path, path, options=("-w", "2")) as (first, second):
        until(lambda: events.count() == KEYS, timeout=60)
        assert first.drain() == 0
        assert second.process.wait(30) == 0

    found = [document["_source"] for document in events.documents()]
    assert {tuple(sorted(one["from"])) for one in found} == {tuple(sorted(queues))}
    numbers = Counter(n for one in found for n in one["numbers"])
    assert numbers == dict.fromkeys(range(QUEUES * KEYS), 1)
    assert left(rig, queues) == 0


def test_each_partition_of_a_super_stream_is_read_on_where_it_was_read_to(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """As the streams of a super stream are named, each with an offset of its own."""
    streams = rig.more_queues(4, separator="-", **{"x-queue-type": "stream"})
    path = pipeline(tmp_path, rig, events, "", window="{count: 10, time: 100ms}")
    spec = path.read_text().replace(f"{rig.queue}.{{0..7}}", f"{rig.queue}-{{0..3}}")
    spec = spec.replace(
        "    prefetch:", "    consume: {arguments: {x-stream-offset: first}}\n    prefetch:"
    )
    path.write_text(spec)
    publish(rig, streams, range(50))
    stored = 200
    for keys in (range(50, 60), range(60, 70)):
        with cluster(path, path, options=("-w", "2")) as (one, other):
            until(partial(has, events, stored), timeout=60)
            publish(rig, streams, keys)
            stored += 4 * len(keys)
            until(partial(has, events, stored))
            assert one.drain() == 0
            assert other.process.wait(30) == 0

    assert events.numbers() == list(range(4 * 70))
    assert {document["_version"] for document in events.documents()} == {1}, "none is read twice"
    for stream in streams:
        assert rig.offset(stream) == b"70"


def test_a_queue_that_is_deleted_holds_up_no_other(
    rig: RabbitMQRig, queues: list[str], events: Index, tmp_path: Path
) -> None:
    """`/health` names it; it is consumed again when it is there again."""
    path = pipeline(tmp_path, rig, events, "")
    [port] = free_ports(1)
    path.write_text(f"{path.read_text()}metrics: {{port: {port}, unhealthy_after: 2s}}\n")
    with JobProcess(path) as job:
        job.wait_for_log(f"{queues[3]}/000: consuming", timeout=60)
        rig.channel.queue_delete(queues[3])
        job.wait_for_log("the broker refuses")
        rest = [queue for queue in queues if queue != queues[3]]
        publish(rig, rest, range(10))
        until(lambda: events.count() == 10 * len(rest))
        health = wait_for(job, "/health", 503, "NOT_FOUND")
        assert f"{queues[3]}/000" in json.dumps(health["reasons"])

        rig.channel.queue_declare(queues[3], durable=True)
        rig.publish_to(queues[3], b'{"n":1000}')
        until(lambda: events.count() == 10 * len(rest) + 1, timeout=60)
        wait_for(job, "/health", 200)
        assert job.drain() == 0
    assert left(rig, queues) == 0


def test_every_queue_is_asked_for(rig: RabbitMQRig, queues: list[str]) -> None:
    """By a check, and at the start, which names the one that is not there."""
    rig.channel.queue_delete(queues[5])
    spec = RabbitMQSource.model_validate({"url": rig.url, "queue": f"{rig.queue}.{{0..7}}"})

    found = {one.subject: one.ok for one in survey(spec, None, 10)}
    assert {queue: found[f"queue {queue}"] for queue in queues} == {
        queue: queue != queues[5] for queue in queues
    }
    with pytest.raises(Unavailable, match=f"no queue '{queues[5]}'"):
        RabbitMQ(spec, None, workers=1).check()


def test_a_dead_letter_names_the_queue_it_came_from(
    rig: RabbitMQRig, queues: list[str], events: Index, tmp_path: Path
) -> None:
    path = pipeline(tmp_path, rig, events, "")
    with JobProcess(path) as job:
        for queue in queues:
            properties = pika.BasicProperties(content_type="application/json")
            rig.publish_to(queue, b"no JSON", properties=properties)
        until(lambda: len(rig.parked_whole()) == QUEUES, timeout=60)
        assert job.drain() == 0

    headers: list[Any] = [properties.headers for _, properties in rig.parked_whole()]
    assert sorted(one["x-hopper-queue"] for one in headers) == queues
