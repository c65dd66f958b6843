"""A day of a web shop, through the real job: from RabbitMQ to Elasticsearch in half a minute.

    python deploy/demo.py

Starts a RabbitMQ and an Elasticsearch where `RABBITMQ_URL` and `ELASTICSEARCH_URL` name none,
publishes events, runs `python -m bytewax.run flows.pipeline` on them, and asks Elasticsearch what
arrived. The exit code is 0 when every event is stored or parked.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import takewhile
from pathlib import Path

# A script sees only what lies beside it; this one belongs to a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from connectors.url import without_password
from deploy import services
from deploy.local.folders import CannotStart
from deploy.local.ports import free_ports
from deploy.show import counters, display, shop
from deploy.show.broker import Broker, Parked
from deploy.show.counters import Counters
from deploy.show.index import Index
from deploy.show.job import COMMAND, ROOT, Job
from deploy.show.trouble import Trouble

SPEC = Path("deploy/demo.yaml")
NAME = "hopper-demo"
"""Of the queue and of the index, as `SPEC` has them."""

SECONDS_MAX = 90
"""From the first event on; without trouble it takes less than twenty."""

PUBLISH_EVERY = 0.05
"""Seconds in which due events gather: a transaction costs a few milliseconds, however many."""
LOOK_EVERY = 0.5
"""Seconds between two looks at the job."""


def demo(urls: dict[str, str], events: int, seconds: float) -> bool:
    """Show it all; returns whether every event arrived.

    Raises:
        Trouble: something kept it from its end.
    """
    index = Index(urls["ELASTICSEARCH_URL"], NAME)
    index.make_anew(shop.MAPPING)
    [port] = free_ports(1)
    job = Job(SPEC, {**urls, "DEMO_METRICS_PORT": str(port)})
    with Broker(urls["RABBITMQ_URL"], NAME) as broker:
        introduce(urls, events, seconds)
        with job:
            day = shop.day(events, seconds, datetime.now(timezone.utc))
            last = watch(broker, job, day, events, port)
            print(
                f"\nEvery event is stored or parked. The job is told to stop (SIGTERM) ...", end=" "
            )
            code = job.drain()
            print(f"and has left with exit code {code}.")
        parked = broker.take_parked()
    index.refresh()
    stored = index.count()
    report(index, stored, last, parked)
    return conclude(index, events, stored, len(parked)) and code == 0
