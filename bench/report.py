"""The results in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from bench.run import Contender, Measurement
from bench.scenarios import ACKNOWLEDGES, BY_HAND, BenchResult, Results, Scenario

pairs = partial(zip, strict=True)
"""The measurements of the same round, together."""


def medians(rounds: Mapping[Contender, Sequence[Measurement]]) -> Results:
    """The medians of all figures."""
    bounds, by_hand = rounds[ACKNOWLEDGES], rounds[BY_HAND]
    return {
        contender: BenchResult(
            median(each.rate for each in measurements),
            median(each.cpu_microseconds for each in measurements),
            median(each.memory_bytes for each in measurements),
            median(each.rate / bound.rate for each, bound in pairs(measurements, bounds)),
            median(
                each.cpu_microseconds / hand.cpu_microseconds
                for each, hand in pairs(measurements, by_hand)
            ),
        )
        for contender, measurements in rounds.items()
    }


def table(scenario: Scenario, results: Results, remark: str) -> Iterator[str]:
    """Lines: the figures of each contender, and which goals are reached."""
    yield f"### {scenario.title}"
    yield ""
    yield "| | messages/s | of the bound | µs CPU a message | of the hand-written script | MiB |"
    yield "|---|--:|--:|--:|--:|--:|"
    for contender, result in results.items():
        yield (
            f"| {contender.name} | {result.rate:,.0f} | {result.rate_of_bound:.2f} "
            f"| {result.cpu_microseconds:.1f} | {result.cpu_of_hand:.2f} "
            f"| {result.memory_bytes / 2**20:.0f} |"
        )
    yield ""
    yield remark
    yield ""
    yield "| Goal | Result | Reached |"
    yield "|---|--:|---|"
    for target in scenario.targets:
        reached = "yes" if target.reached(results) else "no"
        yield f"| {target.text} | {target.value(results):.2f} | {reached} |"
    yield ""
