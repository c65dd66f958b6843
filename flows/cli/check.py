"""`hopper check`: finds errors in a pipeline before it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

import click
import msgspec

from connectors.errors import SpecError
from connectors.spec import Spec
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, paint, plural, print_json, print_text
from flows.cli.services import Documents, read_sample, survey
from flows.config import yaml
from flows.config.placeholders import Examination, examine_file
from flows.config.problems import path_text
from flows.spec import chosen_path
from flows.testing.spec import FileOfTests, PipelineFile, is_file_of_tests

EVERYTHING = ((),)
"""The paths that need real values before Hopper asks the services: all."""


class Note(msgspec.Struct):
    """An error in a file, or a warning about it."""

    severity: Literal["error", "warning"]
    line: int | None
    """Counted from 1; null: the file cannot be read."""
    column: int | None
    path: str
    """The path of the key, such as `source.rabbitmq.url`; empty: none."""
    text: str


class ServiceFinding(msgspec.Struct):
    """The answer of a service to one question."""

    subject: str
    ok: bool | None
    """Whether the job can work with it; null: unknown."""
    text: str
    """What the service says, and the remedy if it is not ok."""


class CheckedFile(msgspec.Struct):
    """The result for one file."""

    file: str
    valid: bool
    """The file has no errors; it may have warnings."""
    notes: list[Note]
    findings: list[ServiceFinding]
    """The answers of the services, with `--connect`."""
    placeholders: list[str]
    """Variables without a value, and `file:/path` of unreadable files: the check uses placeholders
    of the right type for them."""


class Checked(msgspec.Struct):
    """The output of `hopper check --json`."""

    valid: bool
    """All files are valid."""
    files: list[CheckedFile]


@make(
    "check",
    "Find the errors in pipelines, without starting them.",
    examples=(
        "hopper check",
        "hopper check orders.yaml events.yaml",
        "hopper check --env production.env --json orders.yaml",
        "hopper check - < orders.yaml",
        "hopper check --connect --sample documents.ndjson orders.yaml",
    ),
    codes={
        exit_codes.DONE: "all files are valid; there may be warnings",
        exit_codes.UNAVAILABLE: "--connect: a service refuses a request, or does not answer",
        exit_codes.WRONG: "a file is invalid",
    },
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--connect", is_flag=True, help="Check the broker and the cluster too.")
@click.option(
    "--sample",
    metavar="FILE",
    help="With --connect: documents, one JSON object a line; Elasticsearch simulates storing them.",
)
@options.timeout(
    "10s",
    "With --connect: timeout for the broker as a whole, and for each request to the cluster.",
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
    """Find the errors in pipelines, and warn of settings with surprising effects.

    The command starts nothing, and connects to nothing without --connect. A variable that is not
    set, or a secret file that is missing, is then no error: the check uses a placeholder of the
    right type. FILE may be `-` for standard input, or a file of tests
    (`*.test.yaml`).

    With --connect, the command asks the broker for its queues, their arguments and permissions, and
    the cluster for its version, privileges, index and ingest pipeline. It creates nothing, and
    consumes no message.
    """
    if sample is not None and not connect:
        raise click.UsageError("--sample needs --connect: only Elasticsearch knows its mapping")
    documents = read_sample(sample) if sample is not None else []
    checked = [_check(file, environment) for file in files or (chosen_path(),)]
    if connect:
        for file, one in zip(files or (chosen_path(),), checked, strict=True):
            if one.valid and not is_file_of_tests(file):
                _connect(file, one, environment, documents, seconds)
    result = Checked(all(one.valid for one in checked), checked)
    if as_json:
        print_json(result)
    else:
        for one in checked:
            _print(one)
    return _code(result)


def _connect(
    file: str,
    checked: CheckedFile,
    environment: Mapping[str, str],
    documents: Documents,
    seconds: float,
) -> None:
    """Add the answers of the services to the result for a file."""
    pipeline = options.pipeline(file, environment, needed=EVERYTHING)
    checked.findings += [
        ServiceFinding(*one) for one in survey(pipeline, documents, seconds, time.time())
    ]


def _code(result: Checked) -> int:
    if not result.valid:
        return exit_codes.WRONG
    refused = any(found.ok is False for one in result.files for found in one.findings)
    return exit_codes.UNAVAILABLE if refused else exit_codes.DONE


def _check(file: str, environment: Mapping[str, str]) -> CheckedFile:
    name = options.name_of(file)
    try:
        examination = examine_file(_model_of(file), options.content(file), environment)
    except SpecError as error:
        notes = [_unreadable(name, problem) for problem in error.problems]
        return CheckedFile(name, False, notes, [], [])
    valid = not examination.problems
    return CheckedFile(name, valid, _notes(examination), [], examination.names)


def _model_of(file: str) -> type[Spec]:
    return FileOfTests if is_file_of_tests(file) else PipelineFile


def _notes(examination: Examination[Spec]) -> list[Note]:
    return [
        *(_note("error", found) for found in examination.problems),
        *(_note("warning", found) for found in examination.warnings),
    ]


def _note(severity: Literal["error", "warning"], found: yaml.FileProblem) -> Note:
    return Note(severity, *found.place, path_text(found.path), found.text)


def _unreadable(name: str, problem: str) -> Note:
    return Note("error", None, None, "", problem.removeprefix(f"{name}: "))


def _print(checked: CheckedFile) -> None:
    """Print a line for each note, in the format of compilers, and one for the file."""
    for note in checked.notes:
        place = [checked.file, *(str(at) for at in (note.line, note.column) if at is not None)]
        mark = paint(note.severity, WRONG if note.severity == "error" else UNSURE)
        path = f"{note.path}: " if note.path else ""
        print_text(f"{':'.join(place)}: {mark}: {path}{note.text}")
    print_text(f"{checked.file} {_verdict(checked)}")
    for found in checked.findings:
        print_text(f"  {_MARKS[found.ok]} {found.subject}: {found.text}")
    if checked.placeholders:
        print_text(f"  placeholders used for {', '.join(checked.placeholders)}")


_MARKS = {
    True: paint("ok     ", RIGHT),
    False: paint("not ok ", WRONG),
    None: paint("unknown", UNSURE),
}


def _verdict(checked: CheckedFile) -> str:
    counts = {one: _count(checked.notes, one) for one in ("error", "warning")}
    found = " and ".join(plural(count, one) for one, count in counts.items() if count)
    verdict = paint("is valid", RIGHT) if checked.valid else paint("is invalid", WRONG)
    return f"{verdict}{f', with {found}' if found else ''}"


def _count(notes: Sequence[Note], severity: str) -> int:
    return sum(note.severity == severity for note in notes)
