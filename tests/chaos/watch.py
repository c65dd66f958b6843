"""Watches whether the job makes progress during faults, and limits the length of the queue."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pika
import urllib3

from tests.chaos.producer import Producer
from tests.chaos.world import HTTP, ChaosWorld

MAX_WAITING = 60_000
"""Messages in the queue: about five seconds of work for the job."""


class ProgressWatch(threading.Thread):
    """Checks twice a second."""

    def __init__(self, world: ChaosWorld, producer: Producer) -> None:
        super().__init__(daemon=True)
        self._world, self._producer = world, producer
        self._stopping = threading.Event()
        self._moved_at = time.monotonic()
        self.documents = 0
        """The number of documents that a reader finds."""
        self._idle = False
        self.longest = 0.0
        """Seconds without a new document, while messages waited."""

    def run(self) -> None:
        while not self._stopping.wait(0.5):
            with suppress(urllib3.exceptions.HTTPError, KeyError, ValueError):
                self._look_at_the_index()
            with suppress(pika.exceptions.AMQPError, OSError):
                waiting = self._world.waiting()
                self._idle = not waiting
                self._producer.held_back = waiting > MAX_WAITING

    def stop(self) -> None:
        """Stop checking."""
        self._stopping.set()
        self.join()

    def _look_at_the_index(self) -> None:
        url = f"{self._world.store.url}/{self._world.index}/_count"
        documents = HTTP.request("GET", url, retries=False, timeout=5).json()["count"]
        now = time.monotonic()
        if documents != self.documents or self._idle:
            self.documents, self._moved_at = documents, now
        self.longest = max(self.longest, now - self._moved_at)
