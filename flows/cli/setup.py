"""`hopper setup`: prepares Elasticsearch for a job, whose key needs to write only."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from connectors.elasticsearch.setup.changes import Change, Conflict, changes
from connectors.elasticsearch.setup.cluster import SetupCluster
from connectors.elasticsearch.setup.wanted import wanted
from connectors.errors import SpecError
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, UNSURE, WRONG, note, paint, plural, print_json, print_text
from flows.spec import Pipeline, chosen_path


class ChangedValue(msgspec.Struct):
    """A value that differs."""

    path: str
    old: Any
    """What was there; null: nothing."""
    new: Any
    """What the spec wants; null: nothing."""


class SetupChange(msgspec.Struct):
    """A change of the cluster."""

    what: str
    """`index template`, `index`, `data stream`, `mapping`, `lifecycle` or `aliases`."""
    name: str
    creates: bool
    """It did not exist before."""
    differences: list[ChangedValue]
    warning: str
    """What it does to documents that are stored; empty: nothing."""


class SetupConflict(msgspec.Struct):
    """A difference that the command does not remove."""

    what: str
    name: str
    text: str
    """The difference, and the remedy."""


class SetUp(msgspec.Struct):
    """The output of `hopper setup --json`."""

    cluster: str
    """URLs of the nodes."""
    dry_run: bool
    changes: list[SetupChange]
    """What was changed; in a dry run: what would be."""
    conflicts: list[SetupConflict]


@make(
    "setup",
    "Prepare Elasticsearch for a pipeline: template, mapping, data stream, alias.",
    examples=(
        "hopper setup --dry-run",
        "hopper setup --env admin.env orders.yaml",
        "hopper setup --yes --json orders.yaml",
    ),
    codes={
        exit_codes.DONE: "the cluster is as the file says; with --dry-run: nothing differs",
        exit_codes.UNAVAILABLE: "Elasticsearch is unreachable, or refuses a request",
        exit_codes.WRONG: "an option or the file is invalid, or the file has no setup",
        exit_codes.DIFFERS: "a difference remains: --dry-run, or the output says the remedy",
        exit_codes.INTERRUPTED: "the answer was no, or Ctrl-C",
    },
)
@click.argument("file", required=False)
@click.option("--dry-run", is_flag=True, help="Print the differences; change nothing.")
@options.yes
@options.timeout("30s", "Timeout for each request.")
@options.env
@options.as_json
def command(
    file: str | None,
    dry_run: bool,
    yes: bool,
    seconds: float,
    environment: Mapping[str, str],
    as_json: bool,
) -> int:
    """Prepare Elasticsearch as setup in FILE says: index template, index or data stream, aliases.

    It compares the cluster with the file, prints the differences, and asks before it changes
    anything. Called again, it finds nothing to do. It deletes nothing, and it changes no field that
    an index already has in another way: it names the remedy then, a rollover or a copy.

    It uses the credentials of sink.elasticsearch. The job should have a key that can only write, so
    give those of an administrator in a file of variables with --env.
    """
    name = file or chosen_path()
    pipeline = options.pipeline(name, environment, needed=(("sink",), ("setup",)))
    setup, sink = pipeline.setup, pipeline.sink.elasticsearch
    if setup is None or sink is None:
        raise SpecError([f"{options.name_of(name)}: setup: is missing: nothing is to be prepared"])
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError("there is no terminal for the question: --yes changes without it")
    cluster = SetupCluster(sink, seconds)
    try:
        return _compare(cluster, pipeline, dry_run, yes, as_json)
    finally:
        cluster.close()


def _compare(
    cluster: SetupCluster, pipeline: Pipeline, dry_run: bool, yes: bool, as_json: bool
) -> int:
    assert pipeline.setup is not None
    assert pipeline.sink.elasticsearch is not None
    goal = wanted(pipeline.setup, pipeline.sink.elasticsearch, pipeline.name)
    made, conflicts = changes(goal, cluster.find(goal))
    if not as_json:
        _print(cluster.nodes, made, conflicts)
    if made and not dry_run:
        if not yes:
            if as_json:
                note(f"{plural(len(made), 'change')} at {cluster.nodes}")
            click.confirm("Change Elasticsearch?", abort=True, err=True)
        for one in made:
            cluster.apply(one)
            if not as_json:
                print_text(f"{paint('done', RIGHT)}: {one.what} {one.name}")
    if as_json:
        print_json(_result(cluster.nodes, dry_run, made, conflicts))
    return exit_codes.DIFFERS if conflicts or (made and dry_run) else exit_codes.DONE


def _result(
    nodes: str, dry_run: bool, made: Sequence[Change], conflicts: Sequence[Conflict]
) -> SetUp:
    changed = [
        SetupChange(
            one.what,
            one.name,
            one.creates,
            [ChangedValue(each.path, each.old, each.new) for each in one.differences],
            one.warning,
        )
        for one in made
    ]
    return SetUp(
        nodes, dry_run, changed, [SetupConflict(one.what, one.name, one.text) for one in conflicts]
    )


def _print(nodes: str, made: Sequence[Change], conflicts: Sequence[Conflict]) -> None:
    """Print the differences, as `diff` does."""
    if not made and not conflicts:
        print_text(f"Elasticsearch at {nodes} {paint('is as the file says', RIGHT)}")
        return
    print_text(f"Elasticsearch at {nodes} differs from the file:")
    for one in made:
        print_text(f"{one.what} {one.name}: {'to be created' if one.creates else 'to be changed'}")
        for each in one.differences:
            if each.old is not None:
                print_text(paint(f"  - {each.path}: {_value(each.old)}", WRONG, bold=False))
            if each.new is not None:
                print_text(paint(f"  + {each.path}: {_value(each.new)}", RIGHT, bold=False))
        if one.warning:
            print_text(f"  {paint('warning', UNSURE)}: {one.warning}")
    for conflict in conflicts:
        print_text(f"{conflict.what} {conflict.name}: {paint('conflict', WRONG)}: {conflict.text}")


def _value(value: Any) -> str:
    return msgspec.json.encode(value).decode()
