"""A typical script: `helpers.bulk` for 1000 messages or after a second, one acknowledgement.

It has no more guarantees than such scripts have, and runs until it is killed.
"""

from __future__ import annotations

import json
import os
import time

import pika
from elasticsearch import Elasticsearch, helpers

COUNT = 1000
SECONDS = 1.0
PREFETCH = 2000


def main() -> None:
    """Consume for ever."""
    client = Elasticsearch(os.environ["ELASTICSEARCH_URL"])
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])).channel()
    channel.basic_qos(prefetch_count=PREFETCH)
    actions: list[dict[str, object]] = []
    last_tag, began = 0, time.monotonic()
    for method, _, body in channel.consume(os.environ["BENCH_QUEUE"], inactivity_timeout=SECONDS):
        if method is not None:
            if not actions:
                began = time.monotonic()
            actions.append({"_index": os.environ["BENCH_INDEX"], "_source": json.loads(body)})
            last_tag = method.delivery_tag
        if len(actions) >= COUNT or (actions and time.monotonic() - began >= SECONDS):
            helpers.bulk(client, actions, chunk_size=COUNT)
            channel.basic_ack(last_tag, multiple=True)
            actions = []


if __name__ == "__main__":
    main()
