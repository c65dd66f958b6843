"""What a job in a test works on: services, and a queue and an index of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import elasticsearch
import pika
import pytest

from tests.live.forwarder import Forwarder
from tests.live.indices import Index
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tools import services
from tools.local.folders import CannotStart


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """A RabbitMQ to be shared: only queues of one's own are one's own."""
    return _url("RABBITMQ_URL")


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """An Elasticsearch to be shared: only indices of one's own are one's own."""
    return _url("ELASTICSEARCH_URL")


@pytest.fixture
def queue(rabbitmq_url: str) -> Iterator[str]:
    """A name for a queue; it, and the one for what is parked from it, are deleted afterwards."""
    name = f"test-{uuid.uuid4()}"
    yield name
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.queue_delete(name)
        channel.queue_delete(f"{name}.parked")


@pytest.fixture
def index(elasticsearch_url: str) -> Iterator[str]:
    """A name for an index; it, and those whose names begin with it, are deleted afterwards."""
    name = f"test-{uuid.uuid4()}"
    yield name
    with elasticsearch.Elasticsearch(elasticsearch_url) as client:
        # By the transport, because the client insists on media types of its own version.
        transport, plain = client.transport, {"accept": "application/json"}
        found = transport.perform_request("GET", f"/_cat/indices/{name}*?h=index", headers=plain)
        for row in found.body:
            transport.perform_request("DELETE", f"/{row['index']}", headers=plain)


@pytest.fixture
def rig(rabbitmq_url: str) -> Iterator[RabbitMQRig]:
    """A classic queue, reached through a forwarder."""
    with rabbitmq_rig(rabbitmq_url) as rig:
        yield rig


@pytest.fixture
def events(elasticsearch_url: str, index: str) -> Index:
    """An index that is not there yet."""
    return Index(elasticsearch_url, index)


@pytest.fixture
def forwarder(elasticsearch_url: str) -> Iterator[Forwarder]:
    """Before Elasticsearch."""
    parts = urlsplit(elasticsearch_url)
    assert parts.hostname
    assert parts.port
    with Forwarder(parts.hostname, parts.port) as forwarder:
        yield forwarder


def _url(variable: str) -> str:
    """Be quiet about a missing service at home, where it is known, and loud where it counts."""
    try:
        return services.url(variable)
    except CannotStart as error:
        if "CI" in os.environ or "HOPPER_LIVE" in os.environ:
            raise
        pytest.skip(str(error))
