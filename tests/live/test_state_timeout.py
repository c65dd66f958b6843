"""A window of the state that is open for longer than the broker waits for an acknowledgement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pika
import pytest

from tests.live.indices import Index
from tests.live.job import cluster
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.live.state import kept
from tests.waiting import until
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

TIMEOUT = 20
"""Seconds."""
BEGIN = 1_700_000_000
"""When the window begins, in seconds since 1970."""
EVERY = 40
"""Its seconds, by event time; the test ends it."""
KEYS = 12
MISSED = ("PRECONDITION_FAILED", "requeued all messages", "is unacknowledged for")
"""Words of a log that tell of a message that nearly or really reached the timeout."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """Checks each second whether a message is unacknowledged for too long, not each minute."""
    with Broker("impatient", settings={"consumer_timeout": f"{TIMEOUT * 1000}"}) as broker:
        broker.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 1000).")
        yield broker


@pytest.fixture
def rig(broker: Broker) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(broker.url) as rig:
        yield rig


def publish(rig: RabbitMQRig, numbers: Iterable[int], begin: int = BEGIN) -> None:
    """Publish numbered messages of the window that begins then, each with an id."""
    for n in numbers:
        body = {"key": n % KEYS, "n": n, "at": begin + n % EVERY}
        rig.publish(
            json.dumps(body).encode(),
            properties=pika.BasicProperties(message_id=f"{n}", delivery_mode=2),
        )


def time_out(broker: Broker) -> None:
    """Consume a message, and wait until the broker misses its acknowledgement."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        name = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(name, lambda *_: None)
        channel.basic_publish("", name, b"")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="PRECONDITION_FAILED"):
            channel.start_consuming()


def kept_spec(folder: Path, rig: RabbitMQRig, events: Index) -> Path:
    """A job that a timeout of 20 seconds would forbid without its state."""
    window = f"{{tumbling: {{every: {EVERY}s, event_time: at, lateness: 1s, idle_after: 10m}}}}"
    path = spec(
        *(folder, rig, events),
        window=window,
        on_stop="keep",
        aggregate="  by: key\n  reduce: {numbers: {list: n}, total: {sum: n}}\n"
        f"state: {{path: {folder / 'state'}}}",
    )
    timeout = f"consumer_timeout: {TIMEOUT}s\n    prefetch:"
    path.write_text(path.read_text().replace("prefetch:", timeout))
    return path


def test_it_is_exact_over_three_restarts_of_two_processes(
    rig: RabbitMQRig, broker: Broker, events: Index, tmp_path: Path
) -> None:
    """Two by `kill -9`, one by SIGTERM; no message is requeued because it is open for too long."""
    path, state = kept_spec(tmp_path, rig, events), tmp_path / "state"
    publish(rig, range(300))
    with cluster(path, path) as (one, other):
        until(lambda: kept(state) == 300 and rig.left() == 0, timeout=60)
        other.kill()
        assert one.process.wait(60) == 1
    publish(rig, range(300, 600))
    with cluster(path, path) as (one, other):
        until(lambda: kept(state) > 300, timeout=60)
        one.kill()  # it may not have acknowledged all that is durable
        assert other.process.wait(60) == 1
    with cluster(path, path) as (one, other):
        publish(rig, range(600, 900))
        until(lambda: kept(state) == 900 and rig.left() == 0, timeout=60)
        for job in (one, other):
            job.wait_for_log("consuming", 60)
        assert one.drain() == 0
        assert other.process.wait(60) == 0
    publish(rig, range(900, 1200))
    with cluster(path, path) as jobs:
        until(lambda: kept(state) == 1200 and rig.left() == 0, timeout=60)
        time_out(broker)
        assert events.count() == 0
        publish(rig, range(1200, 1200 + KEYS), begin=BEGIN + 2 * EVERY)
        until(lambda: events.count() == KEYS and kept(state) == KEYS, timeout=60)
        assert jobs[0].drain() == 0
        assert jobs[1].process.wait(60) == 0

    for document in events.documents():
        summary = document["_source"]
        numbers = range(summary["key"], 1200, KEYS)
        assert sorted(summary["numbers"]) == list(numbers)
        assert (summary["total"], summary["completed_by"]) == (sum(numbers), "window")
    assert (rig.left(), rig.parked()) == (0, [])
    logs = [log.read_text() for log in tmp_path.glob("job-*.log")]
    assert len(logs) == 8
    assert not any(words in log for log in logs for words in MISSED)
