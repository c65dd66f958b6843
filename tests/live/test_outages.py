"""The job while a service is down: it waits, and no message is lost or stored twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.elasticsearch import ElasticsearchServer
from tools.local.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server() -> Iterator[ElasticsearchServer]:
    with ElasticsearchServer("outage", fast=True) as server:
        yield server


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_elasticsearch_is_down_for_ten_seconds(
    server: ElasticsearchServer, rig: RabbitMQRig, tmp_path: Path, how: str
) -> None:
    """In the middle of the stream; starting again takes about that long."""
    events = Index(server.url, f"outage-{how}")
    with JobProcess(spec(tmp_path, rig, events, prefetch="300")) as job:
        publish(rig, 700)
        until(lambda: events.count() >= 100)
        getattr(server, how)()
        publish(rig, 700, start=700)
        job.wait_for_log("has not accepted all documents")

        server.start()
        until(lambda: events.count() == 1400, timeout=60)
        assert job.drain() == 0

    assert "accepts documents again" in job.log
    assert events.numbers() == list(range(1400))
    assert rig.left() == 0


def test_the_broker_is_restarted(tmp_path: Path, elasticsearch_url: str, index: str) -> None:
    """Messages and queue are durable; the job reconnects by itself."""
    events = Index(elasticsearch_url, index)
    with RabbitMQServer("outage") as broker, rabbitmq_rig(broker.url) as rig:
        with JobProcess(spec(tmp_path, rig, events, rabbitmq=broker.url, prefetch="300")) as job:
            publish(rig, 700)
            until(lambda: events.count() >= 100)

            broker.restart()
            rig.reconnect()
            publish(rig, 700, start=700)
            until(lambda: events.count() == 1400, timeout=90)

            assert job.drain() == 0
        assert "no connection" in job.log
        assert events.numbers() == list(range(1400))
        assert rig.left() == 0


def test_elasticsearch_8(rig: RabbitMQRig, tmp_path: Path) -> None:
    """The previous major version accepts the same requests."""
    with ElasticsearchServer("version-8", version="8.19.21", fast=True) as server:
        events = Index(server.url, "events")
        publish(rig, 950)
        rig.publish(b'{"n":{"not":"a number"}}')
        with JobProcess(spec(tmp_path, rig, events)) as job:
            until(lambda: events.count() == 950)
            [(body, reason)] = until(rig.parked)
            assert job.drain() == 0

        assert body == b'{"n":{"not":"a number"}}'
        assert reason.startswith("document_parsing_exception")
        assert events.numbers() == list(range(950))
