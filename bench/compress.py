"""What `bulk.compress` saves on the wire, and what it costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from bench.run import BenchQueue, run
from bench.scenarios import HOPPER, HOPPER_COMPRESSES
from bench.sinks import INDEX, StubSink


def report(rabbitmq: str, rounds: int, messages: int) -> Iterator[str]:
    """Measure with and without compression, alternately, and yield a table of the medians."""
    ways = [HOPPER, HOPPER_COMPRESSES]
    found: dict[str, list[tuple[float, float, float]]] = {way.name: [] for way in ways}
    queue = BenchQueue(rabbitmq, "hopper.compress", {"x-queue-type": "quorum"})
    with StubSink() as sink:
        for number in range(rounds):
            for way in ways if number % 2 else reversed(ways):
                received = sink.received_bytes()
                environment = {
                    "RABBITMQ_URL": rabbitmq,
                    "ELASTICSEARCH_URL": sink.url,
                    "BENCH_INDEX": INDEX,
                    "HOPPER_PIPELINE": way.pipeline,
                }
                measured = run(way, queue, messages, environment)
                sent = (sink.received_bytes() - received) / messages
                found[way.name].append((sent, measured.cpu_microseconds, measured.rate))
                print(f"{way.name}: {measured}, {sent:.0f} bytes on the wire", file=sys.stderr)
    queue.delete()
    yield "### Compressed requests, quorum queue → stub"
    yield ""
    yield "| | bytes a message on the wire | µs CPU a message | messages/s |"
    yield "|---|--:|--:|--:|"
    for name, measurements in found.items():
        sent, cpu, rate = map(median, zip(*measurements, strict=True))
        yield f"| {name} | {sent:.0f} | {cpu:.1f} | {rate:,.0f} |"
    yield ""
