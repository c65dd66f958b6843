"""What has been measured, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.run import Contender, Measurement
from bench.scenarios import ACKNOWLEDGES, Results, Scenario


def medians(rounds: Mapping[Contender, Sequence[Measurement]]) -> Results:
    """The median of each column by itself."""
    return {
        contender: Measurement(
            median(each.rate for each in measurements),
            median(each.cpu_microseconds for each in measurements),
            int(median(each.memory_bytes for each in measurements)),
        )
        for contender, measurements in rounds.items()
    }


def table(scenario: Scenario, results: Results, remark: str) -> Iterator[str]:
    """Lines: who did how well, and which targets are reached."""
    yield f"### {scenario.title}"
    yield ""
    yield "| | messages/s | of the bound | µs CPU a message | MiB |"
    yield "|---|--:|--:|--:|--:|"
    bound = results[ACKNOWLEDGES].rate
    for contender, result in results.items():
        yield (
            f"| {contender.name} | {result.rate:,.0f} | {result.rate / bound:.2f} "
            f"| {result.cpu_microseconds:.1f} | {result.memory_bytes / 2**20:.0f} |"
        )
    yield ""
    yield remark
    yield ""
    yield "| target | is | reached |"
    yield "|---|--:|---|"
    for target in scenario.targets:
        reached = "yes" if target.reached(results) else "no"
        yield f"| {target.text} | {target.value(results):.2f} | {reached} |"
    yield ""
