"""Draws the view of a job for a terminal.

Pure: a function from the view to what rich prints. The most important lines come first, since a
terminal may be too low for all of them. Texts that came in messages are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from connectors.units import measured_size
from flows.cli.output import plural, printable
from flows.cli.watching.job_now import JobNow, ProblemShown, ProcessNow, Rates

LIMITED_BY = {
    "drain": "the drain",
    "pause": "the pause",
    "reject_limit": "the limit on rejections",
    "state": "the disk of the state",
    "sink": "Elasticsearch",
    "cpu": "CPU",
    "memory": "memory",
    "prefetch": "prefetch",
    "broker": "the broker",
    "nothing": "nothing",
}
GROUPS_SHOWN = 5
"""Open groups that are shown."""
KINDS_SHOWN = 5
"""Kinds of dead letters that are shown."""

GOOD, BAD, UNSURE, LABEL = "bold green", "bold red", "bold yellow", "cyan"
"""Styles."""


def screen(now: JobNow) -> RenderableType:
    """Return the view of a job; its first line says what limits the job."""
    parts: list[RenderableType] = [_limit(now), _state(now)]
    parts += [_missing(one) for one in now.processes if one.missing is not None]
    if now.limit is not None:
        parts += [*map(_problem, now.problems), Text(), _numbers(now)]
        if now.oldest_groups:
            parts += [Text(), _oldest_groups(now)]
    if len(now.processes) > 1:
        parts += [Text(), _processes(now)]
    return Group(*parts)


class Fitted:
    """A picture that says how many of its last lines the terminal has no room for."""

    def __init__(self, picture: RenderableType) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._picture, options.update(height=None), pad=False)
        height = options.height or console.height
        fitting = lines if len(lines) <= height else lines[: height - 1]
        for line in fitting:
            yield from line
            yield Segment.line()
        if len(fitting) < len(lines):
            more = len(lines) - len(fitting)
            yield Text(f"{more} more lines: make the terminal higher", UNSURE)


def _limit(now: JobNow) -> Text:
    if now.limit is None:
        text = Text("No process answers", BAD)
        return text.append(f": {now.job} does not run, or its port is not reachable", "not bold")
    text = Text("Limited by ").append(LIMITED_BY[now.limit.by], "bold")
    return text.append(f": {printable(now.limit.why)}")


def _state(now: JobNow) -> Text:
    there = sum(one.missing is None for one in now.processes)
    reasons = sum(not one.warning for one in now.problems)
    if not there:
        state = ("Missing", BAD)
    elif there < len(now.processes):
        state = (f"Not healthy: {there} of {len(now.processes)} processes answer", BAD)
    elif reasons:
        state = (f"Not healthy: {plural(reasons, 'reason')}", BAD)
    elif now.draining is not None:
        state = ("Drains", UNSURE)
    elif now.paused:
        state = ("Paused", UNSURE)
    else:
        state = ("Healthy", GOOD) if now.ready else ("Not ready", UNSURE)
    facts = [now.job]
    if 1 < there == len(now.processes):
        facts.append(f"{there} processes")
    if now.version is not None and now.at is not None:
        facts.append(f"Hopper {now.version}")
        facts.append(datetime.fromtimestamp(now.at).astimezone().strftime("%H:%M:%S"))
    return Text().append(*state).append("".join(f" \N{MIDDLE DOT} {one}" for one in facts))


def _missing(one: ProcessNow) -> Text:
    text = Text("Missing: ", BAD).append(printable(one.missing or ""))
    if one.process is not None and one.silent_seconds is not None:
        text.append(f"; {one.process} answered {age(one.silent_seconds)} ago")
    return text


def _problem(one: ProblemShown) -> RenderableType:
    style, title = (UNSURE, "Warning") if one.warning else (BAD, "Problem")
    since = f" (since {one.since})" if one.since is not None else ""
    lines = Text(f"{title}: ", style).append(f"{printable(one.cause)}{since}")
    below = Text(f"The messages: {one.data}\nWhat helps: {one.remedy}\nMore: {one.runbook}")
    return Group(lines, Padding(below, (0, 0, 0, 2), expand=False))


def _numbers(now: JobNow) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _lines(now):
        table.add_row(label, Text(value))
    return table


def _lines(now: JobNow) -> Iterator[tuple[str, str]]:
    yield "Messages", f"{rate(now.rates.received)} in, {rate(now.rates.stored)} stored"
    held = f"{number(now.unacknowledged)} unacknowledged of prefetch {number(now.prefetch)}"
    oldest = f"the oldest is {age(now.oldest_unacknowledged_seconds)} old"
    yield "In flight", f"{held}, {oldest}" if now.unacknowledged else held
    yield "Memory", f"{measured_size(now.held_bytes)} held of {measured_size(now.memory_bytes)}"
    yield "Queues", _counts(now.queues, len(now.queues), "no consumer is connected", " wait")
    yield "Groups", f"{number(now.open_groups)} open, with {number(now.members)} messages"
    requests = f"{number(now.requests_in_flight)} of {number(now.concurrency)} in flight"
    yield "Requests", f"{requests}, {number(now.documents)} documents wait for an answer"
    yield "Retries", f"{_counts(now.retries, KINDS_SHOWN)}, {rate(now.rates.retries)}"
    letters = _counts(now.dead_letters, KINDS_SHOWN)
    yield "Dead letters", f"{letters}, {rate(now.rates.dead_letters)}"
    cores = [one.cores for one in now.processes if one.cores is not None and one.missing is None]
    yield "CPU", f"{sum(cores):.0%} of a core" if cores else "not known yet"


def _counts(counts: dict[str, int], shown: int, none: str = "none", after: str = "") -> str:
    """Write counts by name, the largest first."""
    texts = [f"{printable(name)} {number(count)}{after}" for name, count in counts.items() if count]
    if not texts:
        return none if not counts else f"none{after}"
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f", {more} more" if more > 0 else "")


def _oldest_groups(now: JobNow) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Oldest groups", overflow="fold", ratio=1)
    table.add_column("Age", justify="right", no_wrap=True)
    table.add_column("Messages", justify="right", no_wrap=True)
    for one in now.oldest_groups[:GROUPS_SHOWN]:
        key = "(no key)" if one.key is None else printable(one.key)
        table.add_row(Text(key), age(one.seconds), number(one.members))
    return table


def _processes(now: JobNow) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Process", overflow="fold", ratio=1)
    for title in ("In", "Stored", "In flight", "CPU"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Limited by", overflow="fold")
    for one in now.processes:
        if one.missing is not None:
            table.add_row(Text(one.url), "", "", "", "", Text("missing", BAD))
            continue
        cores = "" if one.cores is None else f"{one.cores:.0%}"
        by = LIMITED_BY[one.limit.by] if one.limit else ""
        table.add_row(Text(one.url), *_flow(one.rates), number(one.unacknowledged), cores, by)
    return table


def _flow(rates: Rates) -> tuple[str, str]:
    return rate(rates.received), rate(rates.stored)


def number(value: int) -> str:
    """Write a number with separators."""
    return f"{value:,}"


def rate(value: float | None) -> str:
    """Write messages a second; `None`: not known yet."""
    if value is None:
        return "?/s"
    return f"{value:.1f}/s" if 0 < value < 10 else f"{value:,.0f}/s"


def age(seconds: float) -> str:
    """Write an age, in two units at most."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
