"""Publishes numbered messages until it is stopped, and notes which ones the broker has confirmed.

A message without a confirmation is not published again: the broker may have it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
from pika import frame, spec

from bench.fill import Publisher
from tests.chaos.messages import MessageMaker

BLOCKS = 5
"""Writes a second; each is confirmed before the next one."""


class Producer(threading.Thread):
    """Publishes through restarts of the broker."""

    def __init__(self, url: str, queue: str, messages: MessageMaker, rate: int) -> None:
        super().__init__(daemon=True)
        self._url, self._queue, self._messages = url, queue, messages
        self._block = rate // BLOCKS
        self._publisher: Publisher | None = None
        self._busy = threading.Lock()
        self._stopping = threading.Event()
        self._large = self._marked = 0
        self.held_back = False
        """There are enough messages in the queue."""
        self.published = 0
        """All numbers below this were sent."""
        self.unconfirmed: set[int] = set()
        """Those whose confirmation was lost: the broker may have them, or not."""

    def run(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            if not self.held_back:
                with self._busy:
                    self._publish_block()
            self._stopping.wait(max(0.0, begun + 1 / BLOCKS - time.monotonic()))

    def send_large(self, count: int) -> None:
        """Make the next messages larger than a request may be."""
        self._large += count

    def send_marked(self, count: int) -> None:
        """Mark the next messages, so that a proxy refuses them."""
        self._marked += count

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within this block nothing is published, and nothing is unconfirmed."""
        with self._busy:
            yield

    def stop(self) -> None:
        """Stop after the current block."""
        self._stopping.set()
        self.join()
        if self._publisher is not None:
            with suppress(OSError, AssertionError):
                self._publisher.__exit__(None, None, None)

    def _publish_block(self) -> None:
        numbers = range(self.published, self.published + self._block)
        large, self._large = self._large, 0
        for number in numbers[:large]:
            self._messages.make_large(number)
        marked, self._marked = self._marked, 0
        for number in numbers[large : large + marked]:
            self._messages.mark(number)
        publisher = self._connected()
        # A message that is published late is not late for its window.
        at = int(time.time() * 1000)
        method = frame.Method(1, spec.Basic.Publish(routing_key=self._queue)).marshal()
        block = b"".join(self._frames(method, number, at) for number in numbers)
        try:
            publisher.publish([block], len(numbers))
        except LOST:
            self._publisher = None
            self.unconfirmed.update(numbers)
        self.published = numbers.stop

    def _connected(self) -> Publisher:
        """Return the connection; wait for the broker if there is none."""
        while self._publisher is None:
            try:
                self._publisher = Publisher(self._url)
            except LOST:
                time.sleep(0.2)
        return self._publisher

    def _frames(self, method: bytes, number: int, at: int) -> bytes:
        body = self._messages.body(number, at)
        properties = pika.BasicProperties(
            "application/json", delivery_mode=2, message_id=f"{number}"
        )
        header = frame.Header(1, len(body), properties).marshal()
        pieces = range(0, len(body), FRAME_BYTES)
        bodies = (frame.Body(1, body[at : at + FRAME_BYTES]).marshal() for at in pieces)
        return b"".join([method, header, *bodies])


LOST = (OSError, AssertionError)
"""The publisher asserts that the broker goes on answering."""
FRAME_BYTES = 100_000
"""Less than the frame size of brokers, 128 KiB."""
