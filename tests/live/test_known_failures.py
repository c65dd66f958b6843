"""Failures of similar systems that this job must not have: duplicates and deadlocks.

On real services, where memory cannot show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pika
import pytest

from connectors.errors import Unavailable
from connectors.rabbitmq.source import RabbitMQ
from tests.contract.source import Receiver, bodies
from tests.live.indices import BulkCounter, Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.live.store import TIME_SERIES, StoreClient
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def stream(elasticsearch_url: str, index: str) -> Iterator[Index]:
    """A data stream."""
    store, name = StoreClient(elasticsearch_url), f"{index}-stream"
    template = {"index_patterns": [name], "data_stream": {}, "priority": 500}
    store.ask("PUT", f"/_index_template/{index}", template)
    store.ask("PUT", f"/_data_stream/{name}")
    yield Index(elasticsearch_url, name)
    store.ask("DELETE", f"/_data_stream/{name}")
    store.ask("DELETE", f"/_index_template/{index}")


@pytest.mark.parametrize("action", ["index", "create"])
def test_a_document_whose_answer_was_lost_is_stored_once(
    rig: RabbitMQRig, stream: Index, tmp_path: Path, action: str
) -> None:
    """It is retried; that it exists already is no reason to park it, or to retry it again."""
    events = stream if action == "create" else Index(stream.url, f"{stream.name}-index")
    for number in range(500):
        rig.publish(
            b'{"n":%d,"@timestamp":"2026-01-31T00:00:00Z"}' % number,
            properties=pika.BasicProperties(message_id=str(number), delivery_mode=2),
        )

    with BulkCounter(events.url, lost_answers=3) as watcher:
        path = spec(tmp_path, rig, events, elasticsearch=watcher.url, action=action)
        with JobProcess(path) as job:
            until(lambda: sum(watcher.bulks) >= 500 and events.count() == 500)
            assert job.drain() == 0

    assert sum(watcher.bulks[:3]) > 0
    assert sum(watcher.bulks) == 500 + sum(watcher.bulks[:3])
    assert events.numbers() == list(range(500))
    assert rig.left() == 0
    assert rig.parked() == []


def test_a_measurement_that_conflicts_with_another_is_parked(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path
) -> None:
    """A time series has one document for a time and its dimensions: the second is not stored."""
    StoreClient(elasticsearch_url).ask("PUT", f"/{index}", TIME_SERIES)
    events = Index(elasticsearch_url, index)
    for number in range(20):
        rig.publish(
            b'{"@timestamp":"2026-06-01T00:00:%02dZ","host":"a","n":%d}' % (number // 2, number),
            properties=pika.BasicProperties(message_id=str(number), delivery_mode=2),
        )

    path = spec(tmp_path, rig, events, action="create")
    path.write_text(path.read_text().replace("    action:", "    id: none\n    action:"))
    with JobProcess(path) as job:
        until(lambda: events.count() == 10)
        until(lambda: len(rig.parked()) == 10)
        assert job.drain() == 0

    assert events.numbers() == [*range(0, 20, 2)]
    assert all(reason.startswith("version_conflict: ") for _, reason in rig.parked())
    assert rig.left() == 0


def test_a_lost_connection_leaves_no_consumer_behind(rig: RabbitMQRig) -> None:
    """The broker would deliver messages to it that are never handled; the new one gets them."""
    source = rig.source()
    receiver = Receiver(source.consumer(source.consumers()[0]))
    rig.publish(b"1")
    receiver.wait_for(1)

    for times in (2, 3, 4):
        rig.cut()
        receiver.wait_for(times)
        until(lambda: rig.consumers() == 1)

    assert receiver.bodies() == [b"1"] * 4
    receiver.store(receiver.messages()[-1:])
    receiver.consumer.close()
    assert rig.consumers() == rig.left() == 0


def test_a_dataflow_that_hangs_loses_no_connection(rig: RabbitMQRig) -> None:
    """Though it is busy, or waits, for longer than the heartbeat allows."""
    url = f"{rig.url}?heartbeat=1"
    rig.publish(*bodies(10))
    source = RabbitMQ(rig.spec(url=url), None, workers=1)
    receiver = Receiver(source.consumer(source.consumers()[0]))
    messages = receiver.wait_for(10)

    neglected = pika.BlockingConnection(pika.URLParameters(url))
    own = neglected.channel().queue_declare("", exclusive=True).method.queue
    until(lambda: not exists(rig, own))
    with suppress(pika.exceptions.AMQPError):
        neglected.close()

    receiver.store(messages)
    until(lambda: receiver.consumer.unacknowledged == 0)
    assert len(receiver.messages()) == 10, "the connection was lost, and they were redelivered"
    receiver.consumer.close()
    assert rig.left() == 0


def exists(rig: RabbitMQRig, queue: str) -> bool:
    """Whether a queue exists, even if it is exclusive to another connection."""
    channel: Any = rig.connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        return bool(error.reply_code == 405)  # it is exclusive
    channel.close()
    return True


def test_a_queue_with_other_arguments_is_reported_at_the_start(rig: RabbitMQRig) -> None:
    """Arguments such as the delivery limit cannot be changed; and the queue is not deleted."""
    rig.publish(b"1")
    declared = {"arguments": {"x-queue-type": "quorum", "x-delivery-limit": 50}}

    with pytest.raises(Unavailable, match="inequivalent arg"):
        RabbitMQ(rig.spec(declare=declared), None, workers=1).check()

    assert rig.left() == 1
