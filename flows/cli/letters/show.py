"""`hopper dead-letters show`: prints dead letters."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from connectors.rabbitmq.dead_letter_handlers import Browse
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.ages import age_text
from flows.cli.letters.queue import (
    CODES_OF_READING,
    MAX_BROWSED,
    DeadLetterPlace,
    of_queue,
    selecting,
)
from flows.cli.letters.record import Letter, record
from flows.cli.letters.report import report_none_selected, warn_of_deliveries
from flows.cli.output import WRONG, paint, print_json, print_text, printable

MAX_BODY = 2000
"""Characters of a body in the text output; `--json` has all of it."""


class Shown(msgspec.Struct):
    """The output of `hopper dead-letters show --json`."""

    queue: str
    letters: list[Letter]
    """The oldest first."""


@make(
    "show",
    "Print dead letters with their headers, bodies and reasons.",
    examples=(
        "hopper dead-letters show",
        "hopper dead-letters show --kind document_parsing_exception --limit 3",
        "hopper dead-letters show --newer-than 1h --json",
    ),
    codes={
        exit_codes.DONE: "shown; there may be none",
        **CODES_OF_READING,
    },
)
@of_queue
@selecting
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_BROWSED),
    default=10,
    show_default=True,
    help="Show at most this many messages, the oldest first.",
)
def command(
    where: DeadLetterPlace,
    as_json: bool,
    limit: int,
    selection: Selection,
) -> int:
    """Print dead letters: reason, time, source queue, headers and body.

    All messages stay in the queue, as with `list`; the command browses at most 10000. Messages may
    contain personal data.
    """
    now = datetime.now(UTC)
    found: list[DeadLetter] = []
    browse = Browse(selection, now, limit, found.extend)
    # Without a selection, read only the messages to show.
    reads = limit if selection == Selection() else MAX_BROWSED
    DeadLetterQueue(where.urls, where.queue, reads).go_over(browse)
    warn_of_deliveries(max((letter.deliveries for letter in found), default=0))
    if as_json:
        print_json(Shown(where.queue, [record(letter) for letter in found]))
    elif not found:
        return report_none_selected(selection, browse.kinds, where.queue)
    else:
        for number, letter in enumerate(found, start=1):
            _print(number, letter, now)
    return exit_codes.DONE


def _print(number: int, letter: DeadLetter, now: datetime) -> None:
    shown = record(letter)
    print_text(f"{number}  {paint(printable(letter.reason or letter.kind), WRONG)}")
    if letter.time is not None:
        print_text(
            f"   {letter.time.isoformat(timespec='seconds')} ({age_text(letter.age(now))} ago)"
        )
    if letter.queue is not None:
        print_text(f"   {printable(f'from queue {letter.queue}{_published(letter)}')}")
    facts = {
        "index": shown.index,
        "id": shown.id,
        "status": shown.status,
        "attempts": shown.attempts or None,
        "replays": shown.replays or None,
        **shown.properties,
    }
    known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    if known:
        print_text(f"   {printable(known)}")
    if shown.headers:
        print_text(f"   headers {printable(msgspec.json.encode(shown.headers).decode())}")
    body = shown.body if shown.body is not None else f"base64 {shown.body_base64}"
    more = f"… ({len(body)} characters, --json has all)" if len(body) > MAX_BODY else ""
    print_text(f"   {printable(body[:MAX_BODY])}{more}")


def _published(letter: DeadLetter) -> str:
    if letter.exchange is None:
        return ""
    return f', published to exchange "{letter.exchange}" with routing key "{letter.routing_key}"'
