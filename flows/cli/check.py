"""`hopper check`: finds errors in a pipeline before it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

import click
import msgspec

from connectors.errors import SpecError
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, paint, plural, tell, tell_json
from flows.cli.services import Documents, read_sample, survey
from flows.config import yaml
from flows.config.placeholders import Examination, examine_file
from flows.config.problems import path_text
from flows.spec import Pipeline, chosen_path

EVERYTHING = ((),)
"""What needs a value before services can be asked."""


class Note(msgspec.Struct):
    """Something that is wrong with a file (an error), or unwise in it (a warning)."""

    severity: Literal["error", "warning"]
    line: int | None
    """From 1; null: the file cannot be read."""
    column: int | None
    path: str
    """Of the key: `source.rabbitmq.url`; empty: none."""
    text: str


class ServiceFinding(msgspec.Struct):
    """One thing that a service was asked for."""

    subject: str
    ok: bool | None
    """Whether the job can work with it; null: that cannot be known."""
    told: str
    """What was found, and what helps where it is not ok."""


class CheckedFile(msgspec.Struct):
    """What there is to say of one file."""

    file: str
    right: bool
    """The job would take it; it may have warnings."""
    notes: list[Note]
    findings: list[ServiceFinding]
    """With `--connect`: what the services say."""
    placeholders: list[str]
    """Variables without a value, and `file:/path` of files that cannot be read: the check took
    values of the right type in their place."""


class Checked(msgspec.Struct):
    """What `hopper check --json` prints."""

    right: bool
    """All files are."""
    files: list[CheckedFile]


@make(
    "check",
    "Tell all that is wrong with pipelines, and start nothing.",
    examples=(
        "hopper check",
        "hopper check orders.yaml events.yaml",
        "hopper check --env production.env --json orders.yaml",
        "hopper check - < orders.yaml",
        "hopper check --connect --sample documents.ndjson orders.yaml",
    ),
    codes={
        exit_codes.DONE: "all files are right, also with warnings",
        exit_codes.UNAVAILABLE: "--connect: a service refuses something, or does not answer",
        exit_codes.WRONG: "a file is wrong",
    },
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--connect", is_flag=True, help="Ask the broker and the cluster too.")
@click.option(
    "--sample",
    metavar="FILE",
    help="With --connect: documents, one JSON object on a line, that Elasticsearch tries and does "
    "not store.",
)
@click.option(
    "--timeout",
    "seconds",
    metavar="DURATION",
    default="10s",
    show_default=True,
    callback=options.duration,
    help="With --connect: how long the broker may take for all questions, the cluster for each.",
)
@options.env
@options.as_json
def command(
    files: tuple[str, ...],
    connect: bool,
    sample: str | None,
    seconds: float,
    environment: dict[str, str],
    as_json: bool,
) -> int:
    """Tell all that is wrong with pipelines, and warn of what may not do what one expects.

    Nothing is started, and nothing is connected to unless --connect is given. A variable that is
    not set, or a secret file that is not there, is no problem then: a placeholder of the right
    type stands for it. FILE may be `-`, standard input.

    With --connect, the broker is asked for its queues, their arguments and permissions, and the
    cluster for its version, privileges, index and ingest pipeline. Nothing is made, and no message
    is consumed.
    """
    if sample is not None and not connect:
        raise click.UsageError("--sample needs --connect: only Elasticsearch knows its mapping")
    documents = read_sample(sample) if sample is not None else []
    checked = [_check(file, environment) for file in files or (chosen_path(),)]
    if connect:
        for file, one in zip(files or (chosen_path(),), checked, strict=True):
            if one.right:
                _connect(file, one, environment, documents, seconds)
    result = Checked(all(one.right for one in checked), checked)
    if as_json:
        tell_json(result)
    else:
        for one in checked:
            _tell(one)
    return _code(result)


def _connect(
    file: str,
    checked: CheckedFile,
    environment: Mapping[str, str],
    documents: Documents,
    seconds: float,
) -> None:
    """Add to what is told of a file what the services say."""
    pipeline = options.pipeline(file, environment, needed=EVERYTHING)
    checked.findings += [
        ServiceFinding(*one) for one in survey(pipeline, documents, seconds, time.time())
    ]


def _code(result: Checked) -> int:
    if not result.right:
        return exit_codes.WRONG
    refused = any(found.ok is False for one in result.files for found in one.findings)
    return exit_codes.UNAVAILABLE if refused else exit_codes.DONE


def _check(file: str, environment: Mapping[str, str]) -> CheckedFile:
    name = options.name_of(file)
    try:
        examination = examine_file(Pipeline, options.content(file), environment)
    except SpecError as error:
        notes = [_unreadable(name, problem) for problem in error.problems]
        return CheckedFile(name, False, notes, [], [])
    right = not examination.problems
    return CheckedFile(name, right, _notes(examination), [], examination.names)


def _notes(examination: Examination[Pipeline]) -> list[Note]:
    return [
        *(_note("error", found) for found in examination.problems),
        *(_note("warning", found) for found in examination.warnings),
    ]


def _note(severity: Literal["error", "warning"], found: yaml.FileProblem) -> Note:
    return Note(severity, *found.place, path_text(found.path), found.text)


def _unreadable(name: str, problem: str) -> Note:
    return Note("error", None, None, "", problem.removeprefix(f"{name}: "))


def _tell(checked: CheckedFile) -> None:
    """One line for each note, as compilers write them, and one for the file."""
    for note in checked.notes:
        place = [checked.file, *(str(at) for at in (note.line, note.column) if at is not None)]
        mark = paint(note.severity, WRONG if note.severity == "error" else UNSURE)
        path = f"{note.path}: " if note.path else ""
        tell(f"{':'.join(place)}: {mark}: {path}{note.text}")
    tell(f"{checked.file} {_verdict(checked)}")
    for found in checked.findings:
        tell(f"  {_MARKS[found.ok]} {found.subject}: {found.told}")
    if checked.placeholders:
        tell(f"  placeholders stand for {', '.join(checked.placeholders)}")


_MARKS = {
    True: paint("ok     ", RIGHT),
    False: paint("not ok ", WRONG),
    None: paint("unknown", UNSURE),
}


def _verdict(checked: CheckedFile) -> str:
    counts = {one: _count(checked.notes, one) for one in ("error", "warning")}
    told = " and ".join(plural(count, one) for one, count in counts.items() if count)
    verdict = paint("is right", RIGHT) if checked.right else paint("is wrong", WRONG)
    return f"{verdict}{f', with {told}' if told else ''}"


def _count(notes: Sequence[Note], severity: str) -> int:
    return sum(note.severity == severity for note in notes)
