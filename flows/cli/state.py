"""`hopper state`: shows what the state of a job has open, writes or discards it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from connectors.errors import SpecError
from connectors.units import measured_size
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import plural, print_json, print_text
from flows.spec import Pipeline, chosen_path
from flows.state.folder import Owner, file_of
from flows.state.inspect import FolderContent, discard, inspect


@make(
    "state",
    "Show what the state of a job has open, write it, or discard it.",
    examples=(
        "hopper state",
        "hopper state orders.yaml --json",
        "hopper state --flush",
        "hopper state --discard --yes",
    ),
    codes={
        exit_codes.DONE: "shown, written, or discarded",
        exit_codes.UNAVAILABLE: "the folder is not there or damaged, a file is gone, or a job has "
        "it; with --flush also: a service is unreachable",
        exit_codes.WRONG: "the file is wrong, or has no state",
        exit_codes.INTERRUPTED: "the answer was no, or Ctrl-C",
    },
)
@click.argument("file", required=False)
@click.option("--flush", "flushes", is_flag=True, help="Write what is open, while no job runs.")
@click.option("--discard", "discards", is_flag=True, help="Remove the state, while no job runs.")
@options.yes
@options.env
@options.as_json
def command(
    file: str | None,
    flushes: bool,
    discards: bool,
    yes: bool,
    environment: Mapping[str, str],
    as_json: bool,
) -> int:
    """Show what the state of a job has open, write it, or discard it.

    Where each process has a folder of its own, this is about the folder that is here.

    --flush writes all open groups to Elasticsearch, incomplete as they are, with `completed_by:
    stop`; summaries that it refuses are dead-lettered. No message is consumed.

    The messages of discarded groups are acknowledged: no broker has them any more. So flush before
    you discard.
    """
    if flushes and discards:
        raise click.UsageError("--flush and --discard are two steps")
    name = file or chosen_path()
    needed: tuple[tuple[str, ...], ...] = ((),) if flushes else (("state",),)
    pipeline = options.pipeline(name, environment, needed)
    if pipeline.state is None:
        raise SpecError([f"{name}: has no state"])
    path = Path(pipeline.state.path)
    if not (flushes or discards):
        content = inspect(path)
        _show(content, as_json)
        return exit_codes.UNAVAILABLE if content.lost else exit_codes.DONE
    if flushes:
        _confirm(f"Write what is open in {path}?", "--yes writes without it", yes=yes)
        _show(_flush(pipeline, name), as_json)
    else:
        _confirm(f"Discard the state in {path}?", "--yes discards without it", yes=yes)
        _show(discard(path, Owner.of(pipeline)), as_json)
    return exit_codes.DONE


def _confirm(question: str, otherwise: str, *, yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal for the question: {otherwise}")
    if not yes:
        click.confirm(question, abort=True, err=True)


def _flush(pipeline: Pipeline, name: str) -> FolderContent:
    # Imported only here: to show a state needs no service.
    from connectors.metrics import BulkMetrics  # noqa: PLC0415
    from flows.process.flush import flush  # noqa: PLC0415
    from flows.process.services import make_sink, make_source  # noqa: PLC0415

    source, sink = make_source(pipeline, 1, name), make_sink(pipeline, name, BulkMetrics())
    return flush(pipeline, source, sink)


def _show(content: FolderContent, as_json: bool) -> None:
    if as_json:
        print_json(content)
        return
    was = "discarded: " if content.discarded else ""
    if content.flushed is not None:
        letters = plural(content.dead_lettered, "dead letter")
        was = f"wrote {plural(content.flushed, 'group')}, {letters}: "
    print_text(
        f"{was}{content.path}: of {content.job or 'unknown'}, {measured_size(content.bytes)}"
    )
    for place in content.folders if len(content.folders) > 1 else ():
        print_text(f"  one of the folders of the state: {place}")
    for shard in content.shards:
        oldest = ""
        if shard.oldest is not None:
            at = datetime.fromtimestamp(shard.oldest, UTC).isoformat(timespec="seconds")
            oldest = f", the oldest since {at}"
        print_text(
            f"  {shard.name}: {plural(shard.groups, 'open group')} of "
            f"{plural(shard.messages, 'message')}, {plural(shard.waiting, 'group')} of "
            f"{plural(shard.waiting_messages, 'message')} waiting for the sink, "
            f"{measured_size(shard.bytes)}{oldest}"
        )
    for name in content.lost:
        print_text(f"  {name}: its file {file_of(Path(content.path), name)} is gone")
    if content.absent:
        print_text(f"  not in this folder: {', '.join(content.absent)}")
    for stream, offset in sorted(content.streams.items()):
        print_text(f"  {stream}: counted up to offset {offset}")
