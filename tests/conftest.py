"""How hard Hypothesis tries; and for live tests: services, a queue and an index of their own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import elasticsearch
import pika
import pytest
from hypothesis import HealthCheck, settings

from tools import services
from tools.local.folders import CannotStart

settings.register_profile(
    # What `make fuzz` takes: many inputs, none of which a run before has found.
    "fuzz",
    max_examples=10_000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
if "CI" not in os.environ:
    # A fifth of Hypothesis' own 100, so that a run is short: each one draws others at random.
    settings.register_profile("home", max_examples=20, deadline=None)
    settings.load_profile("home")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where no live test is wanted, their files are not read: without bytecode that takes 2 s."""
    unwanted = config.option.markexpr == "not live"
    return True if unwanted and collection_path == Path(__file__).parent / "live" else None


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


def _url(variable: str) -> str:
    """Be quiet about a missing service at home, where it is known, and loud where it counts."""
    try:
        return services.url(variable)
    except CannotStart as error:
        if "CI" in os.environ or "HOPPER_LIVE" in os.environ:
            raise
        pytest.skip(str(error))
