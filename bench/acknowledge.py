"""The bound on any job: our own reader, which only acknowledges.

It takes the messages that have arrived, reports them as stored at once, and polls again a
millisecond later.
"""

from __future__ import annotations

import os
import signal
import time

from connectors.message import Arrived, Outcomes
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource

POLL_AFTER = 0.001
"""Seconds."""
PREFETCH = 20_000
"""Messages: a larger one is not faster."""


def main() -> None:
    """Acknowledge until SIGTERM, and drain."""
    spec = RabbitMQSource(
        url=(os.environ["RABBITMQ_URL"],), queue=(os.environ["BENCH_QUEUE"],), prefetch=PREFETCH
    )
    source = RabbitMQ(spec, None, workers=1)
    consumer = source.consumer(source.consumers()[0])
    signal.signal(signal.SIGTERM, lambda *_: consumer.drain())
    consumer.start()
    while not consumer.drained:
        for event in consumer.take():
            if isinstance(event, Arrived):
                tags = [message.tag for message in event.messages]
                consumer.settle(Outcomes(event.origin, tags, []))
        time.sleep(POLL_AFTER)
    consumer.close()


if __name__ == "__main__":
    main()
