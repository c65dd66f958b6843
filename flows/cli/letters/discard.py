"""`hopper dead-letters discard`: removes dead letters for good."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf

import click
import msgspec

from connectors.errors import Unavailable
from connectors.rabbitmq.dead_letter_handlers import Discard, Look
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.kinds import Kinds
from flows.cli.letters.list_kinds import tell_kinds
from flows.cli.letters.queue import (
    WRONG_MEANS,
    DeadLetterPlace,
    none_meant,
    of_queue,
    place,
    selecting,
)
from flows.cli.letters.record import line
from flows.cli.output import plural, tell, tell_json


class Discarded(msgspec.Struct):
    """What `hopper dead-letters discard --json` prints."""

    queue: str
    discarded: int
    kept_in: str | None
    """The file of `--to`."""


@make(
    "discard",
    "Remove dead letters for good, after a question.",
    examples=(
        "hopper dead-letters discard --older-than 30d --to discarded.ndjson",
        "hopper dead-letters discard --kind unreadable --yes",
    ),
    codes={
        exit_codes.DONE: "removed, or there were none",
        exit_codes.UNAVAILABLE: "the broker cannot be reached, or refuses, or was lost in between",
        exit_codes.WRONG: WRONG_MEANS,
        exit_codes.INTERRUPTED: "the answer was no, or Ctrl-C",
    },
)
@of_queue
@selecting
@click.option(
    "--limit", type=click.IntRange(1), help="Messages to discard at the most, from the oldest on."
)
@click.option("--to", metavar="FILE", help="Write them to a file first, as NDJSON, at its end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    file: str | None,
    queue: str | None,
    environment: dict[str, str],
    as_json: bool,
    limit: int | None,
    to: str | None,
    yes: bool,
    selection: Selection,
) -> int:
    """Remove dead letters for good. What would be removed is shown first, and a person is asked.

    With --to, each message is on the disk before it is removed. A stream removes nothing before
    its retention does.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: --yes discards without asking")
    where, now = place(file, environment, queue), datetime.now(UTC)
    found = Kinds()
    letters = DeadLetterQueue(where.urls, where.queue, limit if selection == Selection() else None)
    look = Look(selection, now, limit or inf, found.add)
    letters.go_over(look)
    if letters.is_stream:
        raise Unavailable(f"queue {where.queue} is a stream, which removes only by its retention")
    if not look.selected:
        code = none_meant(selection, look.kinds, where.queue) if not as_json else exit_codes.DONE
        return _done(Discarded(where.queue, 0, to), as_json) if as_json else code
    _keep(to, ())  # whether the file can be written shows before anything is removed
    if not yes:
        tell_kinds(found.sorted(), now)
        click.confirm(f"Discard {plural(look.selected, 'dead letter')}?", abort=True, err=True)
    count = _discard(where, selection, now, look.selected, letters.looked_at, to)
    return _done(Discarded(where.queue, count, to), as_json)


def _done(result: Discarded, as_json: bool) -> int:
    if as_json:
        tell_json(result)
    else:
        kept = f", kept in {result.kept_in}" if result.kept_in else ""
        tell(f"queue {result.queue}: discarded {plural(result.discarded, 'dead letter')}{kept}")
    return exit_codes.DONE


def _discard(
    where: DeadLetterPlace,
    selection: Selection,
    now: datetime,
    count: int,
    reads: int,
    to: str | None,
) -> int:
    """Remove as many as were shown, among as many as were looked at."""
    queue = DeadLetterQueue(where.urls, where.queue, reads)
    discard = Discard(selection, now, count, lambda letters: _keep(to, letters))
    queue.go_over(discard)
    return discard.selected


def _keep(to: str | None, letters: Sequence[DeadLetter]) -> None:
    """Write them to the end of a file, and wait until they are on the disk."""
    if to is None:
        return
    try:
        with open(to, "ab") as file:
            file.writelines(map(line, letters))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise click.UsageError(f"--to {to}: cannot be written: {error.strerror}") from None
