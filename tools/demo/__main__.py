"""A day of a web shop in half a minute: from RabbitMQ to Elasticsearch, through the real job.

    python -m tools.demo

Starts a RabbitMQ and an Elasticsearch if `RABBITMQ_URL` and `ELASTICSEARCH_URL` are not set,
publishes events, runs `python -m bytewax.run flows.pipeline` on them, and asks Elasticsearch what
arrived. The exit code is 0 if each event is either stored or parked.
"""

from __future__ import annotations

import argparse
import io
import logging
import signal
import sys
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from connectors.url import parse, without_password
from tools import services
from tools.demo import counters, report, shop
from tools.demo.broker import DemoBroker
from tools.demo.counters import Counters
from tools.demo.index import DemoIndex
from tools.demo.job import COMMAND, DemoJob
from tools.demo.progress import ProgressLine
from tools.demo.trouble import DemoTrouble
from tools.local.folders import CannotStart
from tools.local.ports import free_ports

SPEC = Path("tools/demo/pipeline.yaml")
NAME = "hopper-demo"
"""The name of the queue and of the index in `SPEC`."""

SCHEMES = {"RABBITMQ_URL": ("amqp", "amqps"), "ELASTICSEARCH_URL": ("http", "https")}
"""The schemes that the URLs of the services may have."""

MAX_SECONDS = 90
"""From the first event on; without problems the demo takes less than twenty."""

PUBLISH_EVERY = 0.05
"""Seconds of events that are published together."""
POLL_EVERY = 0.5
"""Seconds between two reads of the job's metrics."""

EXIT_INTERRUPTED = 130
"""The exit code of shells for a program that Ctrl-C has ended."""


def demo(urls: dict[str, str], events: int, seconds: float) -> bool:
    """Run the demo; return whether each event is either stored or parked.

    Raises:
        DemoTrouble: the demo cannot go on.
    """
    index = DemoIndex(urls["ELASTICSEARCH_URL"], NAME)
    [port] = free_ports(1)
    job = DemoJob(SPEC, {**urls, "DEMO_METRICS_PORT": str(port)})
    day = list(shop.day(events, seconds, datetime.now(UTC)))

    with DemoBroker(urls["RABBITMQ_URL"], NAME) as broker:
        index.make_anew(shop.MAPPING)
        print_lines(report.introduction(events, seconds, _places(urls)))
        with job:
            last = watch(broker, job, day, port)
            print("\nEach event is stored or parked. The job gets SIGTERM, drains,")
            job.drain()
            print("and has ended with exit code 0.")
        parked = broker.take_parked()

    index.refresh()
    stored = index.count()
    print_lines(report.arrived(stored, index.first("order"), index.bulks()))
    print_lines(report.windows(last))
    print_lines(report.parked_messages(parked))
    print_lines(report.conclusion(events, stored, len(parked)))
    print(f"Look further: {index.search_command}")
    return events == stored + len(parked)


def watch(broker: DemoBroker, job: DemoJob, day: Sequence[shop.ShopEvent], port: int) -> Counters:
    """Publish each event when it is due, and show progress until all events have an outcome."""
    began_at = poll_at = time.monotonic()
    published, seen = 0, Counters()
    with ProgressLine(sys.stdout) as progress:
        while True:
            now = time.monotonic()
            due = bisect_right(day, now - began_at, key=attrgetter("due_at"))
            broker.publish(day[published:due])
            published = due
            if now >= poll_at:
                poll_at = now + POLL_EVERY
                seen = counters.fetch(port) or seen
                progress.show(seen, now)
                for warning in job.take_warnings():
                    progress.print_above(warning)
                job.check()
                if seen.settled >= len(day) and not seen.open:
                    return seen
                if now - began_at > MAX_SECONDS:
                    raise DemoTrouble(
                        f"After {MAX_SECONDS} s only {seen.settled:,} of {len(day):,} events are "
                        f"stored or parked. The log of the job is {job.log}."
                    )
            broker.wait(PUBLISH_EVERY)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        print(line)


def main() -> int:
    """Run the demo as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000, help="how many (%(default)s)")
    parser.add_argument("--seconds", type=float, default=12, help="in which time (%(default)s)")
    arguments = parser.parse_args()
    _set_up()
    try:
        return 0 if demo(_urls(), arguments.events, arguments.seconds) else 1
    except CannotStart as error:
        sys.exit(f"{error}\n{services.ADVICE}")
    except DemoTrouble as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        print("\nStopped early. The job has ended.")
        return EXIT_INTERRUPTED


def _set_up() -> None:
    # SIGTERM ends the demo like Ctrl-C, so that its job ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Lines appear at once, in a pipe too; and a terminal may not have all characters of
    # Elasticsearch.
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True, errors="replace")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # pika logs at length what we print in one sentence.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _urls() -> dict[str, str]:
    urls = {variable: services.url(variable) for variable in SCHEMES}
    for variable, schemes in SCHEMES.items():
        try:
            parse(urls[variable], schemes)
        except ValueError as error:
            raise DemoTrouble(f"{variable}: {error}") from None
    return urls


def _places(urls: dict[str, str]) -> dict[str, str]:
    rabbitmq = without_password(urls["RABBITMQ_URL"])
    elasticsearch = without_password(urls["ELASTICSEARCH_URL"])
    return {
        "from": f"queue {NAME}, RabbitMQ at {rabbitmq}",
        "by": f"python {' '.join(COMMAND)}, as {SPEC} says",
        "to": f"index {NAME}, Elasticsearch at {elasticsearch}",
    }


if __name__ == "__main__":
    sys.exit(main())
