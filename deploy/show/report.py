"""What the demo says before and after: it only puts into words what it is given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import shorten
from typing import Any

from deploy.show.broker import Parked
from deploy.show.counters import Counters
from deploy.show.index import Bulks

REASON_LENGTH_MAX = 90
"""Characters of a reason, so that it stays on one line; the parked message has all of it."""


def introduction(events: int, seconds: float, places: Mapping[str, str]) -> Iterator[str]:
    """Tell what is going to happen, and where."""
    yield (
        f"A web shop's day in {seconds:g} seconds: {events:,} orders, payments and page views; "
        "a few of them are broken."
    )
    yield ""
    width = max(map(len, places))
    yield from (f"  {name:<{width}}   {place}" for name, place in places.items())
    yield ""


def arrived(stored: int, sample: Mapping[str, Any], bulks: Bulks) -> Iterator[str]:
    """Tell what Elasticsearch has."""
    yield ""
    yield f"Elasticsearch has {stored:,} documents. The first order:"
    yield ""
    yield from (f"  {line}" for line in _document(sample))
    yield ""
    average = bulks.size_bytes / max(bulks.requests, 1) / 1024
    yield f"It counts {bulks.requests:,} bulk requests, of {average:,.0f} KiB on average."


def gathered(counters: Counters) -> Iterator[str]:
    """Tell how messages were gathered, as two tables side by side."""
    yield ""
    left = _table("documents", "bulks", counters.bulks_by_size)
    right = _table("completed by", "windows", counters.windows)
    width = max(map(len, left))
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"  {one:<{width}}      {other}".rstrip()


def put_aside(parked: Sequence[Parked]) -> Iterator[str]:
    """Tell what could not be stored, and why."""
    yield ""
    yield f"{len(parked)} messages could not be stored, and were parked with the reason:"
    yield ""
    for message_id, reason in parked:
        yield f"  {message_id}   {shorten(reason, REASON_LENGTH_MAX, placeholder=' ...')}"


def conclusion(published: int, stored: int, parked: int) -> Iterator[str]:
    """Tell whether everything is there."""
    yield ""
    sum_ = f"{published:,} published, {stored:,} stored + {parked:,} parked"
    if published == stored + parked:
        yield f"{sum_}: nothing is lost, nothing is there twice."
    else:
        yield f"{sum_}: the sum is WRONG by {stored + parked - published:+,}."


def _document(fields: Mapping[str, Any]) -> list[str]:
    """As JSON, a line for each field."""
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items())
    return ["{", *lines.splitlines(), "}"]


def _table(name: str, number: str, rows: Sequence[tuple[str, int]]) -> list[str]:
    cells = [(name, number), *((key, f"{value:,}") for key, value in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [f"{key:<{widths[0]}}   {value:>{widths[1]}}" for key, value in cells]
