"""Breaks everything, and looks whether anything is lost or twice: `make chaos`.

    python -m tests.chaos             several runs, of all shapes and kinds of jobs
    python -m tests.chaos --seed 7 --shape cluster --aggregate windows --runs 1

Exit code 1: something was lost, stored twice, or never settled; what runs it once more is printed.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos import report
from tests.chaos.aggregates import AGGREGATES
from tests.chaos.run import Plan, Result, run
from tests.chaos.schedule import KINDS
from tests.chaos.supervisor import SHAPES
from tests.chaos.world import World


def plans(options: argparse.Namespace) -> list[Plan]:
    """All shapes with all kinds of jobs by turns, but for those that are given."""
    jobs = [
        (shape, aggregate)
        for aggregate in ([options.aggregate] if options.aggregate else AGGREGATES)
        for shape in ([options.shape] if options.shape else SHAPES)
    ]
    count = options.runs or len(jobs)
    return [
        Plan(options.seed + number, options.seconds, *jobs[number % len(jobs)], options.rate)
        for number in range(count)
    ]


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
    parser.add_argument("--runs", type=int, help="one for each shape and kind of job if omitted")
    parser.add_argument("--only", action="append", choices=KINDS, help="kinds of faults")
    parser.add_argument("--records", type=Path, help="file to add each run to, as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers and jobs are ended too
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when it runs in the background
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"logs: {folder}")
    results: list[Result] = []
    with World() as world:
        for plan in plans(options):
            if options.only:
                plan = plan._replace(kinds=tuple(options.only))  # noqa: PLW2901
            name = f"{plan.seed}-{plan.shape}-{plan.aggregate}"
            result = run(world, plan, folder / name)
            results.append(result)
            print(*report.lines(result), sep="\n", flush=True)
            if options.records:
                with options.records.open("a") as file:
                    file.write(f"{report.record(result)}\n")
    print(*report.totals(results), sep="\n")
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
