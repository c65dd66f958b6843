"""The pipeline of most live tests: numbered messages in, numbered documents out."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pika

from tests.live.indices import Index
from tests.live.job import spec_file
from tests.live.queues import RabbitMQRig


def publish(rig: RabbitMQRig, count: int, start: int = 0) -> None:
    """Publish numbered messages, each with an id."""
    for number in range(start, start + count):
        rig.publish(
            b'{"n":%d}' % number,
            properties=pika.BasicProperties(message_id=str(uuid.uuid4()), delivery_mode=2),
        )


def spec(folder: Path, rig: RabbitMQRig, events: Index, **values: Any) -> Path:
    """The spec of a test's job."""
    return spec_file(
        folder,
        **{
            "rabbitmq": rig.url,
            "queue": rig.queue,
            "elasticsearch": events.url,
            "index": events.name,
            **values,
        },
    )
