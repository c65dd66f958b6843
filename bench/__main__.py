"""`python -m bench`: runs the scenarios in rounds, each with every contender.

Reports go to the standard output as Markdown, progress to the standard error.
"""

from __future__ import annotations

import argparse
import sys
from tempfile import TemporaryDirectory

from bench import aggregate, compress, idle, latency, state, watching
from bench.report import medians, table
from bench.run import BenchQueue, Contender, Measurement, run
from bench.scenarios import HOPPER, SCENARIOS, Scenario
from bench.sinks import INDEX, BenchSink, Real, StubSink
from tools.services import url

QUEUE = "hopper.bench"
AGGREGATE, COMPRESS, IDLE = "aggregate", "compress", "idle"
LATENCY, THROTTLED, WATCH = "latency", "throttled", "watch"
STATE = "state"
"""A scenario, and what its commits and a restart cost."""

THROTTLED_DOCUMENTS, THROTTLED_SECONDS = 20_000, 6.0
"""The goal where a fifth of all documents is throttled; Redpanda Connect takes as long."""


def main() -> None:
    """Run the measurements of the command line."""
    options = _options()
    for scenario in SCENARIOS:
        if scenario.name in options.only:
            sink = Real(url("ELASTICSEARCH_URL")) if scenario.real else StubSink()
            measure(scenario, options, url("RABBITMQ_URL"), sink)
    if LATENCY in options.only:
        for line in latency.report(url("RABBITMQ_URL"), options.seconds):
            print(line)
    if IDLE in options.only:
        for line in idle.report(url("RABBITMQ_URL"), options.seconds):
            print(line)
    if COMPRESS in options.only:
        for line in compress.report(url("RABBITMQ_URL"), options.rounds, options.messages):
            print(line)
    if WATCH in options.only:
        for line in watching.report(url("RABBITMQ_URL"), options.rounds, options.messages):
            print(line)
    if STATE in options.only:
        for line in state.report():
            print(line)
    if THROTTLED in options.only:
        measure_throttled(url("RABBITMQ_URL"))
    if AGGREGATE in options.only:
        for line in aggregate.report(options.rounds):
            print(line)


def measure(
    scenario: Scenario,
    options: argparse.Namespace,
    rabbitmq: str,
    sink: BenchSink,
) -> None:
    """Measure one scenario, and print its table."""
    contenders = scenario.contenders
    rounds: dict[Contender, list[Measurement]] = {contender: [] for contender in contenders}
    queue = BenchQueue(rabbitmq, QUEUE, scenario.queue_arguments)
    with sink:
        for number in range(options.rounds):
            # The first contender changes, so that none always follows the same one.
            first = number % len(contenders)
            for contender in [*contenders[first:], *contenders[:first]]:
                sink.clear()
                with TemporaryDirectory() as folder:
                    environment = {
                        "RABBITMQ_URL": rabbitmq,
                        "ELASTICSEARCH_URL": sink.url,
                        "BENCH_INDEX": INDEX,
                        "BENCH_STATE": f"{folder}/state",
                        "HOPPER_PIPELINE": contender.pipeline,
                    }
                    measurement = run(contender, queue, options.messages, environment)
                rounds[contender].append(measurement)
                print(f"{scenario.name}, {contender.name}: {measurement}", file=sys.stderr)
        documents = options.messages * options.rounds * (len(contenders) - 1)
        for line in table(scenario, medians(rounds), sink.remark(documents)):
            print(line)
    queue.delete()


def measure_throttled(rabbitmq: str) -> None:
    """Print how long a job takes for documents of which the sink throttles a fifth."""
    queue = BenchQueue(rabbitmq, QUEUE, {})
    with StubSink(throttled=0.2) as sink:
        environment = {
            "RABBITMQ_URL": rabbitmq,
            "ELASTICSEARCH_URL": sink.url,
            "BENCH_INDEX": INDEX,
            "HOPPER_PIPELINE": HOPPER.pipeline,
        }
        rate = run(HOPPER, queue, THROTTLED_DOCUMENTS, environment).rate
    queue.delete()
    print("### A fifth of the documents of each request is throttled\n")
    print("| documents | seconds | goal | reached |\n|--:|--:|--:|---|")
    seconds = THROTTLED_DOCUMENTS / rate
    reached = "yes" if seconds <= THROTTLED_SECONDS else "no"
    print(f"| {THROTTLED_DOCUMENTS:,} | {seconds:.1f} | {THROTTLED_SECONDS:g} | {reached} |\n")


def _options() -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    names += [AGGREGATE, COMPRESS, IDLE, LATENCY, THROTTLED, WATCH]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=200_000, help="a multiple of 1000")
    parser.add_argument("--seconds", type=int, default=10, help="of each latency measurement")
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    options = parser.parse_args()
    if options.messages < 1000 or options.messages % 1000:
        parser.error(
            "--messages: must be a multiple of 1000, or the last window waits for its time"
        )
    return options


if __name__ == "__main__":
    main()
