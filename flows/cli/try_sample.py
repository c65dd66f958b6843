"""`hopper try`: shows what a pipeline makes of messages, and stores nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import click
import msgspec

from connectors.units import duration_text
from flows.cli import exit_codes, options, samples
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, paint, plural, print_json, print_text, printable
from flows.simulation.play import TimedStep, play
from flows.simulation.report import (
    Acknowledged,
    DeadLettered,
    DocumentWritten,
    GroupCompleted,
    Happening,
    Report,
    RequestSent,
)
from flows.spec import Pipeline, chosen_path

MAX_TEXT = 2000
"""Characters of a line or a body that people are shown; programs get all of it."""

NEEDED = (("source", "rabbitmq", "url"), ("source", "rabbitmq", "queue"))
"""What must have a value before messages can be copied."""


class Tried(msgspec.Struct):
    """What `hopper try --json` prints."""

    pipeline: str
    report: Report


@make(
    "try",
    "Show what a pipeline makes of messages, and store nothing.",
    examples=(
        "hopper try pipeline.yaml orders.ndjson",
        "hopper try pipeline.yaml - --for 10m < orders.ndjson",
        "hopper try pipeline.yaml --from-queue 100 --json",
    ),
    codes={
        exit_codes.DONE: "tried, also when messages are dead-lettered",
        exit_codes.UNAVAILABLE: "--from-queue: the broker cannot be reached, or refuses",
        exit_codes.WRONG: "an option, the pipeline or the sample is wrong",
    },
)
@click.argument("file", required=False)
@click.argument("sample", required=False)
@click.option(
    "--from-queue",
    "count",
    metavar="N",
    type=click.IntRange(1, samples.MAX_MESSAGES),
    help="Copy so many messages from each queue of the pipeline, from the oldest on.",
)
@click.option("--bodies", is_flag=True, help="Each line is a body, also where it has a key body.")
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    callback=options.duration,
    help="How long to run, by its own clock; without it, until nothing is left to do, at most "
    "a day after the last message.",
)
@options.env
@options.as_json
def command(
    file: str | None,
    sample: str | None,
    count: int | None,
    bodies: bool,
    seconds: float | None,
    environment: dict[str, str],
    as_json: bool,
) -> int:
    """Run the pipeline FILE on the messages of SAMPLE, in memory, by a clock that does not wait.

    It prints which groups are completed, by what and when, the exact lines of each bulk request,
    what is dead-lettered and why, and when which messages are acknowledged. Nothing is connected
    to, nothing is stored, and no secret needs to be set.

    Each line of SAMPLE (`-`: of standard input) is a message: its body, or an object that describes
    it, with `body` (as JSON), `text` or `base64`, and if you like `properties`, `headers`, `at` (as
    in 10s, counted from the beginning) and `redelivered`. No more than 10000 lines are read.

    With --from-queue the messages are copied from the real queue: they are delivered and
    requeued, so the broker marks them as redelivered from then on. A quorum queue may also count a
    delivery of each, and puts them at its end if it has no delivery limit. A stream is read from
    its first message on, and does not change.
    """
    pipeline, steps = _read(file, sample, count, bodies, environment)
    until = seconds
    if until is not None and steps and until < steps[-1].at:
        raise click.UsageError(
            f"--for {duration_text(until)} ends before the last message, at "
            f"{duration_text(steps[-1].at)}"
        )
    report = play(pipeline, steps, time.time(), until)
    if as_json:
        print_json(Tried(pipeline.name, report))
    else:
        _print(pipeline.name, report)
    return exit_codes.DONE


def _read(
    file: str | None, sample: str | None, count: int | None, bodies: bool, env: dict[str, str]
) -> tuple[Pipeline, Sequence[TimedStep]]:
    if count is not None:
        if sample is not None or bodies:
            raise click.UsageError("--from-queue takes the place of SAMPLE and --bodies")
        pipeline = options.pipeline(file or chosen_path(), env, NEEDED)
        if pipeline.source.rabbitmq is None:
            raise click.UsageError("--from-queue: the source of the pipeline is not RabbitMQ")
        return pipeline, samples.copied(pipeline.source.rabbitmq, count)
    if file is None or sample is None:
        raise click.UsageError(
            "name a pipeline and a sample: hopper try pipeline.yaml sample.ndjson; "
            "or copy messages from its queue: --from-queue 100"
        )
    if (file, sample) == (options.STDIN, options.STDIN):
        raise click.UsageError("only one of FILE and SAMPLE may be -, standard input")
    pipeline = options.pipeline(file, env)
    return pipeline, samples.steps_of(samples.read(sample), bodies_only=bodies)


def _print(name: str, report: Report) -> None:
    width = max((len(duration_text(one.at)) for one in report.happened), default=0)
    for one in report.happened:
        for number, line in enumerate(_lines(one)):
            at = duration_text(one.at) if number == 0 else ""
            print_text(f"{at.ljust(width)}  {line}")
    if report.unacknowledged:
        left = _numbers(report.unacknowledged)
        shown = paint("unacknowledged", UNSURE)
        print_text(f"{duration_text(report.ended_at)}  {shown} at the end: {left}")
    print_text(f"{name}: {plural(report.messages, 'message')}: {_summary(report)}")


def _lines(one: Happening) -> Iterator[str]:
    """Yield a line that says what has happened, and below it the lines that belong to it."""
    if isinstance(one, GroupCompleted):
        key = "" if one.key is None else f", key {_json(one.key)}"
        yield printable(f"group completed by {one.completed_by}{key}: {_numbers(one.messages)}")
    elif isinstance(one, RequestSent):
        what = f"request POST {one.path}" if one.path else "request"
        yield printable(f"{what}, {plural(one.documents, 'document')}: {_answer(one)}")
        yield from (f"  {_short(line)}" for line in one.lines)
    elif isinstance(one, DeadLettered):
        shown = printable(f"{_numbers(one.messages)}: {one.reason}")
        yield f"{paint('dead-lettered', WRONG)} {shown}"
        yield f"  {_short(one.body)}"
    elif isinstance(one, Acknowledged):
        yield f"{paint('acknowledged', RIGHT)} {_numbers(one.messages)}: {one.how}"


def _answer(one: RequestSent) -> str:
    if not one.answered:
        return "no answer"
    shown = [
        f"answered with {one.status}" if one.status is not None else "",
        f"{one.stored} stored" if one.stored else "",
        f"{one.conflicts} in conflict" if one.conflicts else "",
        f"{len(one.refused)} refused" if one.refused else "",
        f"{one.retried} to be retried" if one.retried else "",
    ]
    return ", ".join(part for part in shown if part)


def _summary(report: Report) -> str:
    happened = report.happened
    groups = sum(isinstance(one, GroupCompleted) for one in happened)
    requests = sum(isinstance(one, RequestSent) for one in happened)
    documents = sum(isinstance(one, DocumentWritten) for one in happened)
    acknowledged = sum(len(one.messages) for one in happened if isinstance(one, Acknowledged))
    dead = sum(len(one.messages) for one in happened if isinstance(one, DeadLettered))
    return ", ".join(
        [
            plural(groups, "group"),
            plural(requests, "request"),
            f"{plural(documents, 'document')} written",
            f"{acknowledged} acknowledged",
            f"{dead} dead-lettered",
            f"{len(report.unacknowledged)} unacknowledged",
        ]
    )


def _numbers(messages: Sequence[int]) -> str:
    """`messages 1 to 3, 7`."""
    runs: list[list[int]] = []
    for number in messages:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return f"{'message' if len(messages) == 1 else 'messages'} {', '.join(shown)}"


def _short(text: str) -> str:
    more = f"… ({len(text)} characters, --json has all)" if len(text) > MAX_TEXT else ""
    return f"{printable(text[:MAX_TEXT])}{more}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
