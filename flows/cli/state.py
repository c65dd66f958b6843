"""`hopper state`: shows what the state of a job has open, or discards it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from connectors.errors import SpecError
from connectors.units import size_text
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import plural, print_json, print_text
from flows.spec import chosen_path
from flows.state.inspect import FolderContent, discard, inspect


@make(
    "state",
    "Show what the state of a job has open, or discard it.",
    examples=("hopper state", "hopper state orders.yaml --json", "hopper state --discard --yes"),
    codes={
        exit_codes.DONE: "shown, or discarded",
        exit_codes.UNAVAILABLE: "the folder is not there or damaged, or a job has it",
        exit_codes.WRONG: "the file is wrong, or has no state",
        exit_codes.INTERRUPTED: "the answer was no, or Ctrl-C",
    },
)
@click.argument("file", required=False)
@click.option("--discard", "discards", is_flag=True, help="Remove the state, while no job runs.")
@options.yes
@options.env
@options.as_json
def command(
    file: str | None, discards: bool, yes: bool, environment: Mapping[str, str], as_json: bool
) -> int:
    """Show what the state of a job has open, or discard it.

    The messages of discarded groups are acknowledged: no broker has them any more. To write what is
    open instead, run the job once more with `on_stop: write`, and stop it.
    """
    name = file or chosen_path()
    pipeline = options.pipeline(name, environment, (("state",),))
    if pipeline.state is None:
        raise SpecError([f"{name}: has no state"])
    path = Path(pipeline.state.path)
    if not discards:
        _show(inspect(path), as_json)
        return exit_codes.DONE
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal for the question: --yes discards without it")
    if not yes:
        click.confirm(f"Discard the state in {path}?", abort=True, err=True)
    _show(discard(path), as_json)
    return exit_codes.DONE


def _show(content: FolderContent, as_json: bool) -> None:
    if as_json:
        print_json(content)
        return
    was = "discarded: " if content.discarded else ""
    print_text(f"{was}{content.path}: of {content.job or 'unknown'}, {size_text(content.bytes)}")
    for shard in content.shards:
        oldest = ""
        if shard.oldest is not None:
            at = datetime.fromtimestamp(shard.oldest, UTC).isoformat(timespec="seconds")
            oldest = f", the oldest since {at}"
        print_text(
            f"  {shard.name}: {plural(shard.groups, 'open group')} of "
            f"{plural(shard.messages, 'message')}, {shard.waiting} wait for the "
            f"sink, {size_text(shard.bytes)}{oldest}"
        )
