"""Breaks everything, and looks whether anything is lost or twice: `make chaos`.

    python -m tests.chaos             several runs, of all shapes and kinds of jobs
    python -m tests.chaos --seed 7 --shape cluster --aggregate windows --runs 1
    python -m tests.chaos --until 50 --messages 5000000 --records FILE    interrupted, it goes on

Exit code 1: something was lost, stored twice, or never settled; what runs it once more is printed.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.chaos import report
from tests.chaos.aggregates import AGGREGATES
from tests.chaos.plans import Goal, by_turns, until
from tests.chaos.records import keep, read
from tests.chaos.run import RunPlan, RunResult, run
from tests.chaos.schedule import KINDS, possible
from tests.chaos.supervisor import OF_DURABLE, SHAPES
from tests.chaos.world import ChaosWorld


def _jobs(options: argparse.Namespace) -> list[tuple[str, str]]:
    """The shapes and kinds of jobs."""
    return [
        (shape, aggregate)
        for aggregate in ([options.aggregate] if options.aggregate else AGGREGATES)
        for shape in (OF_DURABLE if AGGREGATES[aggregate].durable else SHAPES)
        if options.shape in (None, shape)
    ]


def plans(options: argparse.Namespace, done: list[RunResult]) -> Iterator[RunPlan]:
    """All shapes with all kinds of jobs in turn, or those of the options."""
    jobs = _jobs(options)
    kinds = tuple(options.only or KINDS)
    first = RunPlan(options.seed, options.seconds, *jobs[0], options.rate, kinds)
    if options.until:
        happen = {
            kind for _, aggregate in jobs for kind in possible(kinds, AGGREGATES[aggregate].durable)
        }
        goal = Goal(options.until, options.messages, tuple(sorted(happen)))
        return islice(until(goal, by_turns(first, jobs, skipped=len(done)), done), options.runs)
    return islice(by_turns(first, jobs), options.runs or len(jobs))


def main() -> int:
    """Run all plans, one after the other, on the same servers."""
    parser = argparse.ArgumentParser(
        "python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of the first run"
    )
    parser.add_argument("--seconds", type=float, default=40, help="that all breaks, in each run")
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--aggregate", choices=AGGREGATES)
    parser.add_argument("--rate", type=int, default=4000, help="messages a second")
    parser.add_argument(
        "--runs", type=int, help="at most; one for each shape and kind of job if omitted"
    )
    parser.add_argument("--only", action="append", choices=KINDS, help="kinds of faults")
    parser.add_argument("--until", type=int, help="go on until each kind has come that often")
    parser.add_argument("--messages", type=int, default=0, help="and there were that many")
    parser.add_argument("--records", type=Path, help="file of runs: those in it count, too")
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # so that servers and jobs are ended too
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when it runs in the background
    if options.shape and options.aggregate and not _jobs(options):
        parser.error(f"{options.aggregate} has no shape {options.shape}")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"logs: {folder}")
    records = options.records or folder / "records"
    done = read(records)
    with ChaosWorld() as world:
        for plan in plans(options, done):
            result = run(world, plan, folder / f"{plan.seed}-{plan.shape}-{plan.aggregate}")
            keep(result, records)
            done.append(result)
            print(*report.lines(result), sep="\n", flush=True)
    print(*report.totals(done), sep="\n")
    return 0 if all(result.good for result in done) else 1


if __name__ == "__main__":
    sys.exit(main())
