"""What it costs to watch a job: `hopper top`, an open page and `hopper tap`, all at once.

Messages are published at an even rate, beside a job whose watchers run already; so neither the
start of the job nor that of the watchers counts. The page is what a browser asks the job for,
without a browser: drawing is no work of the job.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from bench.fill import Publisher, publishings
from bench.process import MAX_START_SECONDS, ROOT, end, running, wait
from bench.run import BenchQueue, Measurement, measure
from bench.scenarios import HOPPER
from bench.sinks import INDEX, StubSink
from tools.local.ports import free_ports

PIPELINE = "bench/watch.yaml"
RATE, BLOCK = 20_000, 100
"""Messages a second, and messages that are published together."""
SETTLE_SECONDS = 3.0
"""After these, the watchers have started."""
LEAST = 0.98
"""The goal: this part of the rate is left."""
PAGE_FILES = ("/", "/page.css", "/page.js", "/ring.js", "/sparklines.js", "/words.js")


def report(rabbitmq: str, rounds: int, messages: int) -> Iterator[str]:
    """Measure with and without watchers, alternately, and yield a table of the medians."""
    found: dict[bool, list[Measurement]] = {False: [], True: []}
    queue = BenchQueue(rabbitmq, "hopper.watch", {"x-queue-type": "quorum"})
    with StubSink() as sink:
        for number in range(rounds):
            for is_watched in (False, True) if number % 2 else (True, False):
                measured = _run(queue, messages, rabbitmq, sink.url, is_watched=is_watched)
                found[is_watched].append(measured)
                name = "watched" if is_watched else "not watched"
                print(f"{name}: {measured}", file=sys.stderr)
    queue.delete()
    yield f"### {RATE:,} messages a second, watched by `hopper top`, a page and `hopper tap`"
    yield ""
    yield "| | messages/s | µs CPU a message |"
    yield "|---|--:|--:|"
    for is_watched, measurements in found.items():
        rate, cpu, _ = map(median, zip(*measurements, strict=True))
        yield f"| {'watched' if is_watched else 'not watched'} | {rate:,.0f} | {cpu:.1f} |"
    pairs = zip(found[True], found[False], strict=True)
    ratio = median(watched.rate / alone.rate for watched, alone in pairs)
    yield ""
    yield "| Goal | Result | Reached |"
    yield "|---|--:|---|"
    reached = "yes" if ratio >= LEAST else "no"
    yield f"| at least {LEAST:g} of the rate of the same round | {ratio:.3f} | {reached} |"
    yield ""


def _run(
    queue: BenchQueue, messages: int, rabbitmq: str, elasticsearch: str, *, is_watched: bool
) -> Measurement:
    """Let a job consume what is published, with or without watchers."""
    [port] = free_ports(1)
    environment = {
        "RABBITMQ_URL": rabbitmq,
        "ELASTICSEARCH_URL": elasticsearch,
        "BENCH_QUEUE": queue.name,
        "BENCH_INDEX": INDEX,
        "BENCH_PORT": str(port),
        "HOPPER_PIPELINE": PIPELINE,
    }
    url = f"http://127.0.0.1:{port}"
    with running("Hopper", HOPPER.arguments, environment) as process, ExitStack() as watchers:
        wait(process, lambda: queue.consumers() > 0, 0.05, MAX_START_SECONDS)
        if is_watched:
            _page(url)
            watchers.enter_context(_command("top", environment))
            watchers.enter_context(_command("tap", environment))
        time.sleep(SETTLE_SECONDS)
        with _publishing(rabbitmq, queue.name, messages) as publisher:
            measured = measure(process, queue, messages, lambda: not publisher.is_alive())
        end(process)
    assert not queue.length(), "the job has left messages unacknowledged"
    return measured


@contextmanager
def _publishing(url: str, queue: str, messages: int) -> Iterator[threading.Thread]:
    """Publish messages at `RATE`; yield the thread, which ends after the last one."""
    blocks = publishings(queue, messages, ids=False, block=BLOCK)
    with Publisher(url) as publisher:
        arguments = (blocks, messages, RATE)
        thread = threading.Thread(target=publisher.publish_evenly, args=arguments, daemon=True)
        thread.start()
        yield thread
        thread.join()


def _page(url: str) -> None:
    """Ask for what an open page asks for, until the job ends."""
    for path in PAGE_FILES:
        with urllib.request.urlopen(url + path) as answer:
            answer.read()
    threading.Thread(target=_follow, args=(f"{url}/events",), daemon=True).start()


def _follow(url: str) -> None:
    with urllib.request.urlopen(url) as stream:
        for _ in stream:
            pass


@contextmanager
def _command(name: str, environment: dict[str, str]) -> Iterator[None]:
    """Run a command of `hopper` in a terminal of its own."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", name],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    threading.Thread(target=_discard, args=(ours,), daemon=True).start()
    yield
    process.kill()
    process.wait()


def _discard(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:  # the command has ended
        os.close(terminal)
