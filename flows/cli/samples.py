"""Reads the messages that a pipeline is tried on: from a file, or copied from its queue."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

import click
import msgspec

from connectors.errors import SpecError
from connectors.rabbitmq.spec import RabbitMQSource
from flows.cli.options import STDIN, name_of
from flows.cli.output import note, plural
from flows.config.problems import examine
from flows.config.problems import line as problem_line
from flows.config.yaml import FileProblem, Path, Place, YamlDocument
from flows.simulation.play import MessageArrives, TimedStep
from flows.testing.steps import message_of
from flows.testing.steps_spec import BODIES, MessageSpec

MAX_MESSAGES = 10_000
"""Messages that are tried."""
MAX_BYTES = 64 * 1024**2
"""Bytes of a sample that are read: the sample and its results are held in memory."""


class SampleLines(NamedTuple):
    """Lines of a file."""

    name: str
    lines: list[tuple[int, bytes]]
    """Those with something in them, each with its number."""


def read(file: str) -> SampleLines:
    """Read the lines of a file, or of standard input; print a note if there are too many.

    Raises:
        UsageError: it cannot be read, or has no line.
    """
    name = name_of(file)
    try:
        if file == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(file, "rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{name}: cannot be read: {error.strerror}") from None
    lines = content[:MAX_BYTES].split(b"\n")
    if len(content) > MAX_BYTES:
        lines.pop()
    numbered = ((at, line) for at, line in enumerate(lines, start=1) if line.strip())
    found = list(islice(numbered, MAX_MESSAGES + 1))
    if not found:
        raise click.UsageError(f"{name}: has no message: write one on each line")
    if len(content) > MAX_BYTES or len(found) > MAX_MESSAGES:
        del found[MAX_MESSAGES:]
        note(f"{name}: what follows the first {plural(len(found), 'message')} is left out")
    return SampleLines(name, found)


def steps_of(sample: SampleLines, *, bodies_only: bool) -> list[TimedStep]:
    """Return a step for each line.

    Raises:
        SpecError: lines are wrong, all of which it lists.
    """
    steps, problems, now = list[TimedStep](), list[str](), 0.0
    for number, line in sample.lines:
        described = None if bodies_only else _described(line)
        if described is None:
            steps.append(TimedStep(now, MessageArrives(line.rstrip(b"\r"))))
            continue
        document = _document(described, number)
        spec, found = examine(MessageSpec, document)
        at = now if spec is None or spec.at is None else spec.at
        if at < now:
            found.append(
                FileProblem(document.places["at",], ("at",), "is before the line above it")
            )
        problems += [problem_line(sample.name, one) for one in found]
        if spec is None or found:
            continue
        now = at
        steps.append(TimedStep(now, message_of(spec)))
    if problems:
        raise SpecError(problems)
    return steps


def _described(line: bytes) -> dict[str, Any] | None:
    """Return a description of a message; `None`: the line itself is a body."""
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    if not isinstance(value, dict) or not value.keys() & set(BODIES):
        return None
    return value if value.keys() <= MessageSpec.model_fields.keys() else None


def _document(described: dict[str, Any], number: int) -> YamlDocument:
    """Return a description as a document: all of it stands in one line."""
    document = YamlDocument()
    document.value = described

    def place(value: Any, path: Path) -> None:
        document.places[path] = document.keys[path] = Place(number, 1)
        inner = value.items() if isinstance(value, dict) else ()
        for key, one in inner:
            place(one, (*path, key))

    place(described, ())
    return document


def copied(source: RabbitMQSource, count: int) -> list[TimedStep]:
    """Copy messages from each queue of a pipeline, and requeue them.

    Raises:
        Unavailable: the broker cannot be reached, or refuses.
    """
    return [step for queue in source.queue for step in _copied(source, queue, count)]


def _copied(source: RabbitMQSource, name: str, count: int) -> list[TimedStep]:
    # Imported here, since only this needs a broker.
    from connectors.rabbitmq.dead_letter_handlers import Browse  # noqa: PLC0415
    from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue  # noqa: PLC0415
    from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection  # noqa: PLC0415

    found: list[DeadLetter] = []
    queue = DeadLetterQueue(source.url, name, count, "hopper try")
    queue.go_over(Browse(Selection(), datetime.now(UTC), count, found.extend))
    if found and not queue.is_stream:
        note(
            f"warning: {plural(len(found), 'message')} of the queue {name} were delivered and "
            "requeued: the broker marks them as redelivered from now on; a quorum queue may also "
            "count a delivery of each, and puts them at its end if it has no delivery limit"
        )
    return [
        TimedStep(0.0, MessageArrives(sent.body, one.properties, sent.redelivered, name))
        for one in found
        for sent in (one.message,)
    ]
