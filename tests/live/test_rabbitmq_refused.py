"""Permanent refusals end the job at the start, and are logged as errors later."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import ask, causes, wait_for, watched
from tests.live.pipeline import publish
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live

USER = "clerk"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker("refusing") as broker:
        broker.ctl("add_user", USER, "secret")
        yield broker


@pytest.fixture
def rig(broker: Broker) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(broker.url) as rig:
        yield rig


def permit(broker: Broker, configure: str, write: str, read: str) -> None:
    broker.ctl("set_permissions", USER, configure, write, read)


def as_clerk(path: Path, rig: RabbitMQRig) -> Path:
    place = urlsplit(rig.url).netloc.rpartition("@")[2]
    text = path.read_text().replace(f"url: {rig.url}", f"url: amqp://{USER}:secret@{place}/")
    path.write_text(text)
    return path


def ends_at_once(path: Path) -> str:
    began = time.monotonic()
    with JobProcess(path) as job:
        assert job.process.wait(30) == 1
    assert "retrying" not in job.log
    assert "Traceback" not in job.log
    assert time.monotonic() - began < 15  # most of that time is Python's start, on a busy machine
    return job.log


def test_a_user_without_the_permission_to_read_ends_the_job_at_once(
    broker: Broker, rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Only `basic.consume` shows it."""
    permit(broker, ".*", ".*", "^$")
    publish(rig, 10)

    log = ends_at_once(as_clerk(watched(tmp_path, rig, events), rig))

    assert "ACCESS_REFUSED" in log
    assert "give this user the permission to read the queue" in log
    assert "consuming" not in log
    assert rig.left() == 10


def test_a_permission_that_is_removed_later_is_waited_for(
    broker: Broker, rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """It is an error in the log and in `/health`; the job continues when it is granted again."""
    permit(broker, ".*", ".*", ".*")
    publish(rig, 10)
    with JobProcess(as_clerk(watched(tmp_path, rig, events), rig)) as job:
        until(lambda: events.count() == 10)
        permit(broker, ".*", ".*", "^$")
        rig.cut()

        content = wait_for(job, "/health", 503, "ACCESS_REFUSED")
        assert "permission to read the queue" in causes(content)
        assert "ERROR hopper.rabbitmq" in job.log
        permit(broker, ".*", ".*", ".*")
        wait_for(job, "/health", 200)
        assert ask(job, "/readyz")[0] == 200
        assert job.drain() == 0


def test_a_missing_or_different_queue_ends_the_job_at_once(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = watched(tmp_path, rig, events)
    right = path.read_text()
    queue = f"queue: {rig.queue}\n"
    other = f"{queue}    declare: {{arguments: {{x-max-length: 5}}}}\n"
    path.write_text(right.replace(queue, f"queue: no-{uuid.uuid4()}\n", 1))
    missing = ends_at_once(path)
    path.write_text(right.replace(queue, other, 1))
    different = ends_at_once(path)

    assert "NOT_FOUND" in missing
    assert "or let the job declare it: source.rabbitmq.declare" in missing
    assert "PRECONDITION_FAILED" in different
    assert "set it to passive to use the queue unchanged" in different


def test_a_queue_that_is_exclusive_to_another_connection_ends_the_job_at_once(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = watched(tmp_path, rig, events)
    own = f"own-{uuid.uuid4()}"
    with pika.BlockingConnection(pika.URLParameters(rig.direct_url)) as connection:
        connection.channel().queue_declare(own, exclusive=True)
        path.write_text(path.read_text().replace(f"queue: {rig.queue}\n", f"queue: {own}\n", 1))

        log = ends_at_once(path)

    assert "RESOURCE_LOCKED" in log
    assert "source.rabbitmq.queue" in log


def test_a_wrong_password_ends_the_job_at_once(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = as_clerk(watched(tmp_path, rig, events), rig)
    path.write_text(path.read_text().replace("clerk:secret", "clerk:s3cr3t"))

    log = ends_at_once(path)

    assert "correct user and password in the URL" in log
    assert "s3cr3t" not in log


def test_an_exclusive_consumer_is_waited_for(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Another consumer ends by itself; until then nothing shows that this one consumes."""
    publish(rig, 10)
    with pika.BlockingConnection(pika.URLParameters(rig.direct_url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(rig.queue, lambda *_: None, exclusive=True)
        with JobProcess(watched(tmp_path, rig, events)) as job:
            wait_for(job, "/readyz", 503, "in exclusive use")
            assert "consuming" not in job.log
            connection.close()
            until(lambda: events.count() == 10)
            assert job.drain() == 0


def test_messages_that_a_drain_requeues_keep_their_place(
    broker: Broker, events: Index, tmp_path: Path
) -> None:
    """Of a quorum queue: it counts one delivery, and delivers them before new messages."""
    with rabbitmq_rig(broker.url, **{"x-queue-type": "quorum"}) as rig:
        publish(rig, 3)
        path = watched(tmp_path, rig, events, window="{count: 100, time: 20m}", on_stop="requeue")
        with JobProcess(path) as job:
            job.wait_for_log("consuming")
            until(lambda: ask(job, "/health")[1]["open"]["members"] == 3)
            assert job.drain() == 0
        publish(rig, 1, start=3)
        until(lambda: rig.left() == 4)
        found = [rig.channel.basic_get(rig.queue, auto_ack=True) for _ in range(4)]

    counts = [(properties.headers or {}).get("x-delivery-count") for _, properties, _ in found]
    assert counts == [1, 1, 1, 0]
