"""`hopper dead-letters list`: counts dead letters by the kind of their reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

from connectors.rabbitmq.dead_letter_handlers import Look
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.ages import age_text
from flows.cli.letters.kinds import Kind, Kinds
from flows.cli.letters.queue import MAX_LOOK, WRONG_MEANS, none_meant, of_queue, place, selecting
from flows.cli.output import UNSURE, note, paint, plural, printable, tell, tell_json

SOON_DROPPED = 15
"""Deliveries of a message after which a quorum queue may soon drop it: at 20, unless its limit is
another (RabbitMQ 4.0 to 4.2; before that it had none, and since 4.3 a look does not count)."""


class Listed(msgspec.Struct):
    """What `hopper dead-letters list --json` prints."""

    queue: str
    there: int | None
    """Messages that were ready; null: the queue is a stream, which does not tell."""
    looked_at: int
    kinds: list[Kind]
    """The most frequent first."""


@make(
    "list",
    "Count dead letters by the kind of their reason.",
    examples=(
        "hopper dead-letters list",
        "hopper dead-letters list orders.yaml --older-than 1d --json",
    ),
    codes={
        exit_codes.DONE: "listed, also when there are none",
        exit_codes.UNAVAILABLE: "the broker cannot be reached, or refuses",
        exit_codes.WRONG: WRONG_MEANS,
    },
)
@of_queue
@selecting
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=MAX_LOOK,
    show_default=True,
    help="Messages to look at, from the oldest on.",
)
def command(
    file: str | None,
    queue: str | None,
    environment: dict[str, str],
    as_json: bool,
    limit: int,
    selection: Selection,
) -> int:
    """Count dead letters by the kind of their reason: ids, numbers and quoted texts are left out.

    All of them stay in the queue. The broker hands them out and gets them back, so they are marked
    as redelivered. A quorum queue counts that until RabbitMQ 4.2, and drops a message at its
    delivery limit; without a limit it moves what was looked at behind the rest.
    """
    where, now = place(file, environment, queue), datetime.now(UTC)
    found = Kinds()
    letters = DeadLetterQueue(where.urls, where.queue, limit)
    look = Look(selection, now, limit, found.add)
    letters.go_over(look)
    result = Listed(where.queue, letters.there, letters.looked_at, found.sorted())
    warn_of_deliveries(found.most_deliveries)
    if as_json:
        tell_json(result)
    elif not result.kinds:
        return none_meant(selection, look.kinds, where.queue)
    else:
        _tell(result, look.selected, now)
    return exit_codes.DONE


def _tell(result: Listed, selected: int, now: datetime) -> None:
    tell(f"queue {result.queue}: {plural(selected, 'dead letter')}")
    tell_kinds(result.kinds, now)
    if result.there is not None and result.there > result.looked_at:
        tell(f"looked at {result.looked_at} of {result.there} messages: --limit looks at more")


def tell_kinds(kinds: Sequence[Kind], now: datetime) -> None:
    """Print a table of kinds."""
    tell(f"{'count':>8}  {'oldest':>6}  {'newest':>6}  kind")
    for one in kinds:
        ages = [
            age_text(None if at is None else (now - at).total_seconds())
            for at in (one.oldest, one.newest)
        ]
        tell(f"{one.count:>8}  {ages[0]:>6}  {ages[1]:>6}  {printable(one.kind)}")
        about = []
        if one.indices:
            more = f" and {len(one.indices) - 3} more" if len(one.indices) > 3 else ""
            about.append(f"index {', '.join(one.indices[:3])}{more}")
        if one.replayed:
            about.append(f"replayed before: {one.replayed}")
        if about:
            tell(f"{'':28}{'; '.join(about)}")


def warn_of_deliveries(most: int) -> None:
    """Warn if a quorum queue may soon drop messages, because of their many deliveries."""
    if most >= SOON_DROPPED:
        note(
            f"{paint('warning', UNSURE)}: a message was handed out {most} times: a quorum queue "
            "drops it at its delivery limit; replay it, or raise the limit by a policy"
        )
