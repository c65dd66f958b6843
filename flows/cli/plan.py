"""`hopper plan`: tells what a change of a pipeline means for what is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import msgspec

from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, paint, plural, print_json, print_text
from flows.config.problems import path_text
from flows.config.yaml import Path, Place, read
from flows.plan.effect import About
from flows.plan.plan import MigrationPlan, plan


class PlannedKey(msgspec.Struct):
    """A key that differs between the two files."""

    path: str
    """Such as `aggregate.window.time`."""
    place: str
    """`FILE:LINE:COLUMN` of the key; empty: it is in neither file, so its default has changed."""
    old: Any
    """Its value, with the default if it is not given; secrets are hidden. Null: none. A mapping has
    the keys that one of the files gives."""
    new: Any
    about: About
    """`restart`: it needs a restart, and nothing else."""
    text: str
    """What becomes of what is open, and what to do about it."""


class Planned(msgspec.Struct):
    """The output of `hopper plan --json`."""

    changes: list[PlannedKey]
    needs_attention: bool
    """A restart alone is not enough."""
    requeue_first: bool
    """The old version must stop with `on_stop: requeue`, and its own `on_stop` is another."""
    together: bool
    """Old and new version may run at the same time, as in a rolling update."""
    steps: list[str]
    """How to go from the old version to the new one."""


@make(
    "plan",
    "Tell what a change of a pipeline means for open groups and stored documents.",
    examples=(
        "hopper plan orders.yaml orders-new.yaml",
        "git show HEAD:orders.yaml | hopper plan - orders.yaml",
        "hopper plan --json orders.yaml orders-new.yaml",
    ),
    codes={
        exit_codes.DONE: "nothing changes, or a restart is enough",
        exit_codes.WRONG: "a file is invalid",
        exit_codes.DIFFERS: "a change needs attention: open groups, documents, order or messages",
    },
)
@click.argument("old_file", metavar="OLD")
@click.argument("new_file", metavar="NEW")
@options.env
@options.as_json
def command(old_file: str, new_file: str, environment: Mapping[str, str], as_json: bool) -> int:
    """Compare the pipelines OLD and NEW, and tell how to go from one to the other.

    For each key that differs, it tells what becomes of open groups, of documents that are stored,
    of their order, and of messages that wait or are parked. The steps say how to stop the old
    version and start the new one. The command connects to nothing, and uses placeholders for
    variables that are not set. One of the files may be `-` for standard input.
    """
    if old_file == new_file == options.STDIN:
        raise click.UsageError("only one of the files can be standard input")
    contents = {name: options.content(name) for name in (old_file, new_file)}
    old, new = (
        options.pipeline_of(name, contents[name], environment) for name in (old_file, new_file)
    )
    places = {name: _places(content) for name, content in contents.items()}
    result = _result(plan(old, new), old_file, new_file, places)
    if as_json:
        print_json(result)
    else:
        _print(result)
    return exit_codes.DIFFERS if result.needs_attention else exit_codes.DONE


def _places(content: bytes) -> Mapping[Path, Place]:
    return read(content, {}, lambda _path, name: name).keys


def _result(
    planned: MigrationPlan, old_file: str, new_file: str, places: Mapping[str, Mapping[Path, Place]]
) -> Planned:
    def place(path: Path) -> str:
        for name in (new_file, old_file):
            found = places[name].get(path)
            if found is not None:
                return f"{options.name_of(name)}:{found.line}:{found.column}"
        return ""

    changes = [
        PlannedKey(path_text(one.path), place(one.path), one.old, one.new, one.about, one.text)
        for one in planned.changes
    ]
    return Planned(
        changes, planned.needs_attention, planned.requeue_first, planned.together, planned.steps
    )


def _print(result: Planned) -> None:
    if not result.changes:
        print_text(paint("nothing changes", RIGHT))
        return
    for one in result.changes:
        where = f"{one.place}: " if one.place else ""
        colour = RIGHT if one.about == "restart" else UNSURE
        print_text(f"{where}{one.path}: {_value(one.old)} -> {_value(one.new)}")
        print_text(f"  {paint(one.about, colour)}: {one.text}")
    differ = plural(len(result.changes), "key differs", "keys differ")
    if result.needs_attention:
        print_text(f"{differ}: this {paint('needs attention', WRONG)}")
    else:
        print_text(f"{differ}: {paint('a restart is enough', RIGHT)}")
    for number, step in enumerate(result.steps, start=1):
        print_text(f"  {number}. {step}")


def _value(value: Any) -> str:
    return "none" if value is None else msgspec.json.encode(value).decode()
