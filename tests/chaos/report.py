"""The printed report: lines for each run with its errors, and the totals."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from tests.chaos.plans import faults, published
from tests.chaos.run import RunPlan, RunResult
from tests.chaos.schedule import KINDS

SHOWN = 10
"""The largest number of examples of each kind."""


def command(plan: RunPlan) -> str:
    """The command that repeats a run."""
    only = [] if plan.kinds == KINDS else [f"--only {shlex.quote(kind)}" for kind in plan.kinds]
    return " ".join(
        [
            f"python -m tests.chaos --seed {plan.seed} --seconds {plan.seconds:g} --runs 1",
            f"--shape {plan.shape} --aggregate {plan.aggregate} --rate {plan.rate}",
            *only,
        ]
    )


def lines(result: RunResult) -> Iterable[str]:
    """The result of a run."""
    verdict, plan = result.verdict, result.plan
    yield (
        f"seed {plan.seed} {plan.shape} {plan.aggregate}: {result.faults.total()} faults, "
        f"{verdict.published:,} messages, {len(verdict.lost)} lost, {len(verdict.twice)} twice, "
        f"{verdict.parked:,} parked, at the longest {result.longest:.0f} s without progress"
    )
    asides = {
        "lives of the job": result.lives,
        "stops of consumers": result.stops,
        "counted again": verdict.counted_again,
        "parked again": verdict.parked_again,
        "parked though stored": verdict.parked_though_stored,
        "late": verdict.late,
        "ambiguous": verdict.ambiguous,
    }
    yield f"    {', '.join(f'{what}: {count:,}' for what, count in asides.items() if count)}"
    yield from (f"    unexpected: {what}" for what in result.unexpected[:SHOWN])
    if result.good:
        return
    for what, numbers in (("lost", verdict.lost), ("twice", verdict.twice)):
        if numbers:
            yield f"    {what}: {sorted(numbers)[:SHOWN]}"
    yield from (f"    wrong: {what[:500]}" for what in verdict.wrong[:SHOWN])
    if result.left:
        yield f"    {result.left} messages were never settled"
    if any(result.codes):
        yield f"    exit codes of the last drain: {result.codes}"
    yield f"    once more: {command(plan)}"


def totals(results: Sequence[RunResult]) -> Iterable[str]:
    """The totals of all runs."""
    counts = faults(results)
    for kind in KINDS:
        yield f"{counts[kind]:6} {kind}"
    verdicts = [result.verdict for result in results]
    yield (
        f"{counts.total():,} faults in {len(results)} runs, "
        f"{published(results):,} messages, "
        f"{sum(len(verdict.lost) for verdict in verdicts)} lost, "
        f"{sum(len(verdict.twice) for verdict in verdicts)} twice, "
        f"{sum(verdict.parked for verdict in verdicts):,} parked, "
        f"at the longest {max(result.longest for result in results):.0f} s without progress"
    )
