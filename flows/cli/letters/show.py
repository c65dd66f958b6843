"""`hopper dead-letters show`: prints dead letters."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from connectors.rabbitmq.dead_letter_handlers import Look
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.ages import age_text
from flows.cli.letters.list_kinds import warn_of_deliveries
from flows.cli.letters.queue import MAX_LOOK, WRONG_MEANS, none_meant, of_queue, place, selecting
from flows.cli.letters.record import Letter, record
from flows.cli.output import WRONG, paint, printable, tell, tell_json

MAX_BODY = 2000
"""Characters of a body that people are shown; programs get all of it."""


class Shown(msgspec.Struct):
    """What `hopper dead-letters show --json` prints."""

    queue: str
    letters: list[Letter]
    """From the oldest on."""


@make(
    "show",
    "Print dead letters with their headers, bodies and reasons.",
    examples=(
        "hopper dead-letters show",
        "hopper dead-letters show --kind document_parsing_exception --limit 3",
        "hopper dead-letters show --newer-than 1h --json",
    ),
    codes={
        exit_codes.DONE: "shown, also when there are none",
        exit_codes.UNAVAILABLE: "the broker cannot be reached, or refuses",
        exit_codes.WRONG: WRONG_MEANS,
    },
)
@of_queue
@selecting
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LOOK),
    default=10,
    show_default=True,
    help="Messages to show, from the oldest on.",
)
def command(
    file: str | None,
    queue: str | None,
    environment: dict[str, str],
    as_json: bool,
    limit: int,
    selection: Selection,
) -> int:
    """Print dead letters: why, when, from where, their headers and their bodies.

    All of them stay in the queue, as with `list`; no more than 10000 are looked at. What is in
    messages may be personal data.
    """
    where, now = place(file, environment, queue), datetime.now(UTC)
    found: list[DeadLetter] = []
    look = Look(selection, now, limit, found.extend)
    # Without a selection no more is handed out than is shown.
    reads = limit if selection == Selection() else MAX_LOOK
    DeadLetterQueue(where.urls, where.queue, reads).go_over(look)
    warn_of_deliveries(max((letter.deliveries for letter in found), default=0))
    if as_json:
        tell_json(Shown(where.queue, [record(letter) for letter in found]))
    elif not found:
        return none_meant(selection, look.kinds, where.queue)
    else:
        for number, letter in enumerate(found, start=1):
            _tell(number, letter, now)
    return exit_codes.DONE


def _tell(number: int, letter: DeadLetter, now: datetime) -> None:
    shown = record(letter)
    tell(f"{number}  {paint(printable(letter.reason or letter.kind), WRONG)}")
    if letter.time is not None:
        tell(f"   {letter.time.isoformat(timespec='seconds')} ({age_text(letter.age(now))} ago)")
    if letter.queue is not None:
        tell(f"   {printable(f'from queue {letter.queue}{_published(letter)}')}")
    facts = {
        "index": shown.index,
        "id": shown.id,
        "status": shown.status,
        "attempts": shown.attempts or None,
        "replays": shown.replays or None,
        **shown.properties,
    }
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    if told:
        tell(f"   {printable(told)}")
    if shown.headers:
        tell(f"   headers {printable(msgspec.json.encode(shown.headers).decode())}")
    body = shown.body if shown.body is not None else f"base64 {shown.body_base64}"
    more = f"… ({len(body)} characters, --json has all)" if len(body) > MAX_BODY else ""
    tell(f"   {printable(body[:MAX_BODY])}{more}")


def _published(letter: DeadLetter) -> str:
    if letter.exchange is None:
        return ""
    return f', published to exchange "{letter.exchange}" with routing key "{letter.routing_key}"'
