"""One run: fills a queue, lets a contender empty it, and measures the time, CPU and memory.

The time runs from the moment when the first message has left the queue to the moment when the
contender has sent its last acknowledgement: it sends nothing afterwards, and the queue is empty
after its end. Neither time nor CPU include the start of the contender and its end.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pika

from bench.fill import Publisher, publishings
from bench.process import MAX_START_SECONDS, end, running, wait
from bench.watch import WatchedProcess

MAX_RUN_SECONDS = 300

POLL_EVERY_AT_START = 0.002
"""Seconds between two polls of the queue before the first message: the error of the start."""
POLL_EVERY = 0.02
"""Seconds between two polls afterwards. A poll is a passive `queue.declare`; fifty of them a second
are no load for the broker."""
SILENCE = 1.0
"""Seconds. A contender that is silent for so long has no acknowledgements left: the job collects
them for 5 ms, and a bulk request of a thousand documents takes 20 to 100 ms."""


class Contender(NamedTuple):
    """A program that empties the queue."""

    name: str
    arguments: tuple[str, ...]
    """For the Python interpreter."""
    ids: bool = False
    """Its messages have a `message_id`."""
    pipeline: str = "bench/pipeline.yaml"
    """The spec, for a job of Hopper."""


class Measurement(NamedTuple):
    """The figures of one run."""

    rate: float
    """Messages a second."""
    cpu_microseconds: float
    """For each message."""
    memory_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.rate:,.0f} messages/s, {self.cpu_microseconds:.1f} µs, "
            f"{self.memory_bytes / 2**20:.0f} MiB"
        )


class BenchQueue:
    """The queue that a run fills and empties."""

    def __init__(self, url: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Delete the queue, and declare it again."""
        self.name, self._url = name, url
        self.port: int = pika.URLParameters(url).port
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.queue_delete(name)
        self._channel.queue_declare(name, durable=True, arguments=dict(arguments))

    def fill(self, messages: int, ids: bool) -> None:
        """Publish so many messages, and wait until the broker has confirmed them all."""
        with Publisher(self._url) as publisher:
            publisher.publish(publishings(self.name, messages, ids), messages)

    def length(self) -> int:
        """Messages that no consumer holds."""
        answer = self._channel.queue_declare(self.name, passive=True)
        count: int = answer.method.message_count
        return count

    def consumers(self) -> int:
        """The number of its consumers."""
        answer = self._channel.queue_declare(self.name, passive=True)
        count: int = answer.method.consumer_count
        return count

    def delete(self) -> None:
        """Delete it, and its dead-letter queue."""
        self._channel.queue_delete(self.name)
        self._channel.queue_delete(f"{self.name}.parked")
        self._connection.close()


def run(
    contender: Contender, queue: BenchQueue, messages: int, environment: dict[str, str]
) -> Measurement:
    """Fill the queue and let the contender empty it.

    Raises:
        AssertionError: it did not, or not in time; the text ends with its output.
    """
    queue.fill(messages, contender.ids)
    variables = {"BENCH_QUEUE": queue.name} | environment
    with running(contender.name, contender.arguments, variables) as process:
        measurement = measure(process, queue, messages)
        end(process)
    assert not queue.length(), f"{contender.name} has left messages unacknowledged"
    return measurement


def measure(
    process: subprocess.Popen[bytes],
    queue: BenchQueue,
    messages: int,
    is_filled: Callable[[], bool] = lambda: True,
) -> Measurement:
    """Measure a process while it empties a queue with so many messages, from its first one on.

    `is_filled`: whether all messages are published.

    Raises:
        AssertionError: it does not, or not in time.
    """
    watched = WatchedProcess(process.pid, queue.port)
    wait(process, lambda: queue.length() < messages, POLL_EVERY_AT_START, MAX_START_SECONDS)
    samples = [(time.monotonic(), watched.cpu_seconds())]
    silent = 0.0

    def emptied() -> bool:
        nonlocal silent
        samples.append((time.monotonic(), watched.cpu_seconds()))
        if queue.length() or not is_filled():
            return False
        silent = watched.silent_seconds()
        return silent >= SILENCE

    wait(process, emptied, POLL_EVERY, MAX_RUN_SECONDS)
    ended = samples[-1][0] - silent  # the job may send something else at any moment
    began, cpu_at_first = samples[0]
    cpu_at_last = next(cpu for at, cpu in samples if at >= ended)
    return Measurement(
        rate=messages / (ended - began),
        cpu_microseconds=1e6 * (cpu_at_last - cpu_at_first) / messages,
        memory_bytes=watched.memory_bytes(),
    )
