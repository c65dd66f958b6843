"""The services of live tests, and a queue and an index for each test."""

from __future__ import annotations

import fcntl
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


@pytest.fixture
def fixed_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The queues and indices of files in the repository: for one test of all workers at a time."""
    lock = tmp_path_factory.getbasetemp().parent / "fixed-names.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """A shared RabbitMQ: a test uses only its own queues."""
    return _url("RABBITMQ_URL")


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """A shared Elasticsearch: a test uses only its own indices."""
    return _url("ELASTICSEARCH_URL")


@pytest.fixture
def queue(rabbitmq_url: str) -> Iterator[str]:
    """The name of a queue; it and its dead-letter queue are deleted afterwards."""
    name = f"test-{uuid.uuid4()}"
    yield name
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.queue_delete(name)
        channel.queue_delete(f"{name}.parked")


@pytest.fixture
def index(elasticsearch_url: str) -> Iterator[str]:
    """The name of an index; it and indices whose names begin with it are deleted afterwards."""
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
    """An index that does not exist yet."""
    return Index(elasticsearch_url, index)


@pytest.fixture
def forwarder(elasticsearch_url: str) -> Iterator[Forwarder]:
    """A forwarder before Elasticsearch."""
    parts = urlsplit(elasticsearch_url)
    assert parts.hostname
    assert parts.port
    with Forwarder(parts.hostname, parts.port) as forwarder:
        yield forwarder


def _url(variable: str) -> str:
    """Skip the test if a service is missing, but fail in CI."""
    try:
        return services.url(variable)
    except CannotStart as error:
        if "CI" in os.environ or "HOPPER_LIVE" in os.environ:
            raise
        pytest.skip(str(error))
