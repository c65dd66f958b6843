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
from connectors.rabbitmq.dead_letter_handlers import Browse, Discard
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.letters.kinds import Kinds
from flows.cli.letters.queue import CODES_OF_CHANGING, DeadLetterPlace, of_queue, selecting
from flows.cli.letters.record import line
from flows.cli.letters.report import print_kinds, report_none_selected
from flows.cli.output import plural, print_json, print_text


class Discarded(msgspec.Struct):
    """The output of `hopper dead-letters discard --json`."""

    queue: str
    discarded: int
    kept_in: str | None
    """The file that `--to` names."""


@make(
    "discard",
    "Remove dead letters for good, after a confirmation.",
    examples=(
        "hopper dead-letters discard --older-than 30d --to discarded.ndjson",
        "hopper dead-letters discard --kind unreadable --yes",
    ),
    codes={
        exit_codes.DONE: "removed, or there were none",
        **CODES_OF_CHANGING,
        exit_codes.INTERRUPTED: "the answer was no, or Ctrl-C",
    },
)
@of_queue
@selecting
@options.limit("Discard at most this many messages, the oldest first.")
@click.option("--to", metavar="FILE", help="Append the messages to a file first, as NDJSON.")
@options.yes
def command(
    where: DeadLetterPlace,
    as_json: bool,
    limit: int | None,
    to: str | None,
    yes: bool,
    selection: Selection,
) -> int:
    """Remove dead letters for good, after it has listed them and asked for confirmation.

    With --to, it writes each message to disk before it removes it. It cannot remove messages from a
    stream, which removes them by its retention only.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal for the question: --yes discards without it")
    now = datetime.now(UTC)
    found = Kinds()
    letters = DeadLetterQueue(where.urls, where.queue, limit if selection == Selection() else None)
    browse = Browse(selection, now, limit or inf, found.add)
    letters.go_over(browse)
    if letters.is_stream:
        raise Unavailable(f"queue {where.queue} is a stream, which removes only by its retention")
    if not browse.selected:
        if as_json:
            return _done(Discarded(where.queue, 0, to), as_json)
        return report_none_selected(selection, browse.kinds, where.queue)
    _keep(to, ())  # find out that the file is not writable before anything is removed
    if not yes:
        print_kinds(found.sorted(), now)
        click.confirm(f"Discard {plural(browse.selected, 'dead letter')}?", abort=True, err=True)
    count = _discard(where, selection, now, browse.selected, letters.browsed, to)
    return _done(Discarded(where.queue, count, to), as_json)


def _done(result: Discarded, as_json: bool) -> int:
    if as_json:
        print_json(result)
    else:
        kept = f", kept in {result.kept_in}" if result.kept_in else ""
        print_text(
            f"queue {result.queue}: discarded {plural(result.discarded, 'dead letter')}{kept}"
        )
    return exit_codes.DONE


def _discard(
    where: DeadLetterPlace,
    selection: Selection,
    now: datetime,
    count: int,
    reads: int,
    to: str | None,
) -> int:
    """Remove at most `count` messages, as many as were listed; read at most `reads`."""
    queue = DeadLetterQueue(where.urls, where.queue, reads)
    discard = Discard(selection, now, count, lambda letters: _keep(to, letters))
    queue.go_over(discard)
    return discard.selected


def _keep(to: str | None, letters: Sequence[DeadLetter]) -> None:
    """Append dead letters to a file, and wait until they are on disk."""
    if to is None:
        return
    try:
        with open(to, "ab") as file:
            file.writelines(map(line, letters))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise click.UsageError(f"--to {to}: cannot be written: {error.strerror}") from None
