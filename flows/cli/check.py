"""`hopper check`: what is wrong with a pipeline, told before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import click
import msgspec

from connectors.errors import SpecError
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, paint, plural, tell, tell_json
from flows.config.placeholders import Examination, examine_file
from flows.config.problems import path_text
from flows.config.yaml import Found
from flows.spec import Pipeline, chosen_path


class Note(msgspec.Struct):
    """Something that is wrong with a file (an error), or unwise in it (a warning)."""

    severity: Literal["error", "warning"]
    line: int | None
    """From 1; null: the file cannot be read."""
    column: int | None
    path: str
    """Of the key: `source.rabbitmq.url`; empty: none."""
    text: str


class CheckedFile(msgspec.Struct):
    """What there is to say of one file."""

    file: str
    right: bool
    """The job would take it; it may have warnings."""
    notes: list[Note]
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
    ),
    codes={
        exit_codes.DONE: "all files are right, also with warnings",
        exit_codes.WRONG: "a file is wrong",
    },
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@options.env
@options.as_json
def command(files: tuple[str, ...], environment: dict[str, str], as_json: bool) -> int:
    """Tell all that is wrong with pipelines, and warn of what may not do what one expects.

    Nothing is started, and nothing is connected to. A variable that is not set, or a secret file
    that is not there, is no problem: a placeholder of the right type stands for it. FILE may be
    `-`, standard input.
    """
    checked = [_check(file, environment) for file in files or (chosen_path(),)]
    result = Checked(all(one.right for one in checked), checked)
    if as_json:
        tell_json(result)
    else:
        for one in checked:
            _tell(one)
    return exit_codes.DONE if result.right else exit_codes.WRONG


def _check(file: str, environment: Mapping[str, str]) -> CheckedFile:
    name = options.name_of(file)
    try:
        examination = examine_file(Pipeline, options.content(file), environment)
    except SpecError as error:
        notes = [_unreadable(name, problem) for problem in error.problems]
        return CheckedFile(name, False, notes, [])
    return CheckedFile(name, not examination.problems, _notes(examination), examination.names)


def _notes(examination: Examination[Pipeline]) -> list[Note]:
    return [
        *(_note("error", found) for found in examination.problems),
        *(_note("warning", found) for found in examination.warnings),
    ]


def _note(severity: Literal["error", "warning"], found: Found) -> Note:
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
    if checked.placeholders:
        tell(f"  placeholders stand for {', '.join(checked.placeholders)}")


def _verdict(checked: CheckedFile) -> str:
    counts = {one: _count(checked.notes, one) for one in ("error", "warning")}
    told = " and ".join(plural(count, one) for one, count in counts.items() if count)
    verdict = paint("is right", RIGHT) if checked.right else paint("is wrong", WRONG)
    return f"{verdict}{f', with {told}' if told else ''}"


def _count(notes: Sequence[Note], severity: str) -> int:
    return sum(note.severity == severity for note in notes)
