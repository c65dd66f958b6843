"""What a job in a test works on: a queue and an index of their own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.live.forwarder import Forwarder
from tests.live.indices import Index
from tests.live.queues import RabbitMQRig, rabbitmq_rig


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
