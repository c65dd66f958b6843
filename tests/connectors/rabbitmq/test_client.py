"""What the dataflow gets from a consumer whose thread has ended."""

from __future__ import annotations

from contextlib import closing

import pytest
from pika.adapters.select_connection import IOLoop

from connectors.rabbitmq import client
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource
from tests.waiting import until


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the consumer would look like one whose queue is empty."""

    def defect(_: Link) -> None:
        raise ZeroDivisionError

    loop = IOLoop()
    monkeypatch.setattr(client, "IOLoop", lambda: loop)
    monkeypatch.setattr(Link, "open", defect)
    spec = RabbitMQSource.model_validate({"url": "amqp://nowhere/", "queue": "q"})
    source = RabbitMQ(spec, None, workers=1)
    consumer = source.consumer(*source.consumers())

    def broken() -> bool:
        try:
            consumer.take()
        except AssertionError:
            return True
        return False

    with closing(loop):
        consumer.start()
        until(broken)
        with pytest.raises(AssertionError, match="has died"):
            consumer.take()
