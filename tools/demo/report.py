"""The texts that the demo prints before and after; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import indent, wrap
from typing import Any

from tools.demo.broker import Parked
from tools.demo.counters import Counters
from tools.demo.index import BulkCounts

WIDTH = 80
"""Columns of the output: every terminal has them."""

MAX_REASON_LINES = 3
"""Only the beginning of a reason is shown; the parked message has all of it."""


def introduction(events: int, seconds: float, places: Mapping[str, str]) -> Iterator[str]:
    """Describe what the demo does, and on which services."""
    yield ""
    yield f"A web shop's day in {seconds:g} seconds: {events:,} orders, payments and page views."
    yield ""
    width = max(map(len, places))
    yield from (f"  {name:<{width}}   {place}" for name, place in places.items())
    yield ""


def arrived(stored: int, sample: Mapping[str, Any], bulks: BulkCounts) -> Iterator[str]:
    """Describe the content of Elasticsearch."""
    yield ""
    yield f"Elasticsearch has {stored:,} documents. The first order:"
    yield ""
    yield indent(_json(sample), "  ")
    yield ""
    average = bulks.size_bytes / max(bulks.requests, 1) / 1024
    yield f"It counts {bulks.requests:,} bulk requests, of {average:,.0f} KiB on average."


def windows(counters: Counters) -> Iterator[str]:
    """Show the sizes of bulk requests and the completed windows, as two tables side by side."""
    yield ""
    left = _table("documents", "bulks", counters.bulks_by_size)
    most_first = sorted(counters.windows, key=lambda row: -row[1])
    right = _table("completed by", "windows", most_first)
    width = max(map(len, left))
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"  {one:<{width}}      {other}".rstrip()


def parked_messages(parked: Sequence[Parked]) -> Iterator[str]:
    """List the parked messages with their reasons."""
    yield ""
    yield f"{len(parked)} messages could not be stored, and were parked with the reason:"
    yield ""
    for message_id, reason in parked:
        yield from wrap(
            f"{message_id}   {reason}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (len(message_id) + 5),
            max_lines=MAX_REASON_LINES,
            placeholder=" ...",
        )


def conclusion(published: int, stored: int, parked: int) -> Iterator[str]:
    """Report whether all events are stored or parked."""
    yield ""
    sum_ = f"{published:,} published, {stored:,} stored + {parked:,} parked"
    if published == stored + parked:
        yield f"{sum_}: nothing is lost, nothing is there twice."
    else:
        yield f"{sum_}: the sum is WRONG by {stored + parked - published:+,}."


def _json(value: Any) -> str:
    """Format JSON, with each value on one line if it fits."""
    line = json.dumps(value)
    if len(line) < WIDTH - 20 or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, list):
        parts, brackets = [_json(part) for part in value], "[]"
    else:
        parts = [f"{json.dumps(key)}: {_json(part)}" for key, part in value.items()]
        brackets = "{}"
    inner = indent(",\n".join(parts), "  ")
    return f"{brackets[0]}\n{inner}\n{brackets[1]}"


def _table(name: str, number: str, rows: Sequence[tuple[str, int]]) -> list[str]:
    cells = [(name, number), *((key, f"{value:,}") for key, value in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [f"{key:<{widths[0]}}   {value:>{widths[1]}}" for key, value in cells]
