"""The latency of documents: from publishing a message to Elasticsearch's receipt of its document.

Messages are published at an even rate, each with its time of publishing, to a job with default
settings. The stub delays each answer, and records the age of each document that it receives, by
the clock of this machine.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.fill import Publisher, publishing
from bench.process import MAX_START_SECONDS, end, running, wait
from bench.run import BenchQueue
from bench.sinks import INDEX, StubSink
from bench.watch import cpu_seconds

RATE = 1000
"""Messages a second."""
WARM_UP = 2 * RATE
"""The first messages do not count: the job opens connections and starts threads for them."""


class Delay(NamedTuple):
    """A window and a sink, which delay a document."""

    window: str
    """Its `time`."""
    answer_seconds: float
    """The time until Elasticsearch answers."""
    limit: float
    """The goal: the largest p99, in seconds."""


DELAYS = (
    Delay("50ms", 0.0, 0.070),
    Delay("50ms", 0.005, 0.070),
    Delay("5ms", 0.0, 0.030),
    Delay("5ms", 0.005, 0.030),
)


class Lateness(NamedTuple):
    """The result of a measurement."""

    seconds: Sequence[float]
    """The age of each document, in order."""
    cpu_microseconds: float
    """Of the job, for each message."""

    def percentile(self, percent: float) -> float:
        """The age that so many percent of the documents do not exceed, in seconds."""
        return self.seconds[math.ceil(len(self.seconds) * percent / 100) - 1]


def report(rabbitmq: str, seconds: int) -> Iterator[str]:
    """Measure each delay, and return a table in Markdown."""
    yield f"### From publishing to Elasticsearch's receipt, {RATE} messages a second"
    yield ""
    yield "| `time` | answers take | p50 | p99 | goal | reached | µs CPU a message |"
    yield "|---|--:|--:|--:|--:|---|--:|"
    for delay in DELAYS:
        measured = measure(rabbitmq, delay, seconds * RATE)
        middle, most = measured.percentile(50), measured.percentile(99)
        yield (
            f"| {delay.window} | {1000 * delay.answer_seconds:g} ms | {1000 * middle:.0f} ms "
            f"| {1000 * most:.0f} ms | {1000 * delay.limit:.0f} ms "
            f"| {'yes' if most <= delay.limit else 'no'} | {measured.cpu_microseconds:.0f} |"
        )
    yield ""


def measure(rabbitmq: str, delay: Delay, messages: int) -> Lateness:
    """Run the job, and publish so many messages to it, after the warm-up.

    Raises:
        AssertionError: the job has ended or lost messages; the text ends with the job's output.
    """
    with started_job(rabbitmq, delay) as (job, queue, sink):
        with Publisher(rabbitmq) as publisher:
            _publish(publisher, queue, WARM_UP)
            cpu_before = cpu_seconds(job.pid)
            _publish(publisher, queue, messages)
            cpu = cpu_seconds(job.pid) - cpu_before
            publisher.wait(WARM_UP + messages)
        end(job)
        ages = sink.ages()
        assert len(ages) == WARM_UP + messages, f"{len(ages)} documents have arrived"
        return Lateness(sorted(ages[WARM_UP:]), 1e6 * cpu / messages)


@contextmanager
def started_job(
    rabbitmq: str, delay: Delay
) -> Iterator[tuple[subprocess.Popen[bytes], str, StubSink]]:
    """Run the job; yield its process when it consumes, the name of its queue, and its sink."""
    queue = BenchQueue(rabbitmq, "hopper.latency", {})
    try:
        with StubSink(delay.answer_seconds) as sink:
            variables = {
                "BENCH_QUEUE": queue.name,
                "BENCH_INDEX": INDEX,
                "BENCH_TIME": delay.window,
                "RABBITMQ_URL": rabbitmq,
                "ELASTICSEARCH_URL": sink.url,
                "HOPPER_PIPELINE": "bench/pipeline.yaml",
            }
            with running(f"{delay}", ("-m", "bytewax.run", "flows.pipeline"), variables) as job:
                wait(job, lambda: queue.consumers() > 0, 0.05, MAX_START_SECONDS)
                yield job, queue.name, sink
    finally:
        queue.delete()


def _publish(publisher: Publisher, queue: str, messages: int) -> None:
    start = time.monotonic()
    for number in range(messages):
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        body = b'{"number":%d,"note":"%s","sent":%f}' % (number, _NOTE, time.monotonic())
        publisher.write(publishing(queue, body))


_NOTE = b"x" * 180
