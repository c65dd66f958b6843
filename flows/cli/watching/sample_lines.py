"""Writes samples of what passes as lines for people.

Pure. Control characters that came in messages are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from flows.cli.output import plural, printable
from flows.tap.samples import (
    DeadLetterSample,
    DocumentSample,
    GroupSample,
    ReadSample,
    Sample,
    Shortened,
)

INDENT = "    "


def lines(sample: Sample) -> Iterator[str]:
    """Yield a line with the facts of a sample, and below it the body, if it has one."""
    facts = [one for one in _facts(sample) if one]
    yield printable("  ".join([_time(sample.at), *facts]))
    if isinstance(sample, DocumentSample):
        yield _body(sample.document)
    elif not isinstance(sample, GroupSample):
        yield _body(sample.body)


def _facts(sample: Sample) -> Iterator[str]:
    if isinstance(sample, ReadSample):
        yield sample.queue
        yield _named("routing key", sample.routing_key)
        yield _named("key", sample.key)
        yield "redelivered" if sample.redelivered else ""
    elif isinstance(sample, GroupSample):
        yield _named("key", sample.key)
        yield f"completed by {sample.completed_by}"
        yield plural(sample.members, "member")
        yield f"from {_time(sample.start)} to {_time(sample.end)}"
    elif isinstance(sample, DocumentSample):
        yield sample.result if sample.reason is None else f"rejected: {sample.reason}"
        yield _named("index", sample.index)
        yield _named("_id", sample.id)
        yield _named("action", sample.action)
        yield _named("key", sample.key)
    else:
        yield from _of_dead_letter(sample)


def _of_dead_letter(sample: DeadLetterSample) -> Iterator[str]:
    yield sample.reason
    yield f"HTTP {sample.status}" if sample.status is not None else ""
    yield sample.queue
    yield _named("routing key", sample.routing_key)
    yield f"for {sample.messages} messages" if sample.messages > 1 else ""


def _named(name: str, value: str | None) -> str:
    return f"{name} {value}" if value else ""


def _body(body: Shortened) -> str:
    more = f" \N{HORIZONTAL ELLIPSIS} {body.omitted_bytes} more bytes" if body.omitted_bytes else ""
    return f"{INDENT}{printable(body.text.rstrip())}{more}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
