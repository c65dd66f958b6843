"""What a job costs that has little to do: without messages, and with 1000 a second."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import latency
from bench.latency import RATE, Delay, started_job
from bench.process import end
from bench.watch import cpu_seconds

DEFAULT = Delay("1s", 0.0, 2.0)
"""Windows as `pipeline.yaml` has them."""
SETTLE_SECONDS = 2.0
"""After these, connections are made, and the job is idle."""
IDLE_PERCENT, MICROSECONDS = 1.0, 60.0
"""The goals: of a core, and for each message where the hand-written script takes 48 to 60."""


def report(rabbitmq: str, seconds: int) -> Iterator[str]:
    """Measure both, each for so many seconds, and return the lines of a table."""
    idle = 100 * measure_idle(rabbitmq, seconds)
    busy = latency.measure(rabbitmq, DEFAULT, seconds * RATE).cpu_microseconds
    yield "### CPU of a job that has little to do"
    yield ""
    yield "| Messages a second | CPU | Goal | Reached |"
    yield "|--:|--:|--:|---|"
    reached = "yes" if idle <= IDLE_PERCENT else "no"
    yield f"| 0 | {idle:.2f} % of a core | {IDLE_PERCENT:g} % | {reached} |"
    reached = "yes" if busy <= MICROSECONDS else "no"
    yield f"| {RATE} | {busy:.0f} µs a message | {MICROSECONDS:g} µs | {reached} |"
    yield ""


def measure_idle(rabbitmq: str, seconds: float) -> float:
    """Return the share of a core that a job takes without messages."""
    with started_job(rabbitmq, DEFAULT) as (job, _queue, _sink):
        time.sleep(SETTLE_SECONDS)
        cpu_before, before = cpu_seconds(job.pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds(job.pid) - cpu_before) / (time.monotonic() - before)
        end(job)
        return share
