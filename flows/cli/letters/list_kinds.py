"""`hopper dead-letters list`: counts dead letters by the kind of their reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

from connectors.rabbitmq.dead_letter_handlers import Browse
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.ages import age_text
from flows.cli.letters.kinds import Kind, Kinds
from flows.cli.letters.queue import (
    MAX_BROWSED,
    WRONG_TEXT,
    of_queue,
    place,
    report_none_selected,
    selecting,
)
from flows.cli.output import UNSURE, note, paint, plural, print_json, print_text, printable

SOON_DROPPED = 15
"""Deliveries of a message after which a quorum queue may soon drop it. The default limit of
RabbitMQ 4.0 to 4.2 is 20; earlier versions have no limit, and since 4.3 browsing does not count."""


class Listed(msgspec.Struct):
    """The output of `hopper dead-letters list --json`."""

    queue: str
    ready: int | None
    """Number of ready messages; null: unknown, because the queue is a stream."""
    browsed: int
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
        exit_codes.DONE: "listed; there may be none",
        exit_codes.UNAVAILABLE: "the broker is unreachable or refuses",
        exit_codes.WRONG: WRONG_TEXT,
    },
)
@of_queue
@selecting
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=MAX_BROWSED,
    show_default=True,
    help="Browse at most this many messages, the oldest first.",
)
def command(
    file: str | None,
    queue: str | None,
    environment: dict[str, str],
    as_json: bool,
    limit: int,
    selection: Selection,
) -> int:
    """Count dead letters by the kind of their reason: a reason without ids, numbers and quotes.

    All messages stay in the queue. The command receives and requeues them, so the broker marks them
    as redelivered. Up to RabbitMQ 4.2, a quorum queue counts these deliveries, and drops a message
    at its delivery limit; without a limit, it moves requeued messages to its end.
    """
    where, now = place(file, environment, queue), datetime.now(UTC)
    found = Kinds()
    letters = DeadLetterQueue(where.urls, where.queue, limit)
    browse = Browse(selection, now, limit, found.add)
    letters.go_over(browse)
    result = Listed(where.queue, letters.ready, letters.browsed, found.sorted())
    warn_of_deliveries(found.most_deliveries)
    if as_json:
        print_json(result)
    elif not result.kinds:
        return report_none_selected(selection, browse.kinds, where.queue)
    else:
        _print(result, browse.selected, now)
    return exit_codes.DONE


def _print(result: Listed, selected: int, now: datetime) -> None:
    print_text(f"queue {result.queue}: {plural(selected, 'dead letter')}")
    print_kinds(result.kinds, now)
    if result.ready is not None and result.ready > result.browsed:
        print_text(f"browsed {result.browsed} of {result.ready} messages: --limit browses more")


def print_kinds(kinds: Sequence[Kind], now: datetime) -> None:
    """Print a table of kinds."""
    print_text(f"{'count':>8}  {'oldest':>6}  {'newest':>6}  kind")
    for one in kinds:
        ages = [
            age_text(None if at is None else (now - at).total_seconds())
            for at in (one.oldest, one.newest)
        ]
        print_text(f"{one.count:>8}  {ages[0]:>6}  {ages[1]:>6}  {printable(one.kind)}")
        about = []
        if one.indices:
            more = f" and {len(one.indices) - 3} more" if len(one.indices) > 3 else ""
            about.append(f"index {', '.join(one.indices[:3])}{more}")
        if one.replayed:
            about.append(f"replayed before: {one.replayed}")
        if about:
            print_text(f"{'':28}{'; '.join(about)}")


def warn_of_deliveries(most: int) -> None:
    """Warn if a quorum queue may soon drop messages; `most`: their largest number of deliveries."""
    if most >= SOON_DROPPED:
        note(
            f"{paint('warning', UNSURE)}: a message was delivered {most} times: a quorum queue "
            "drops it at its delivery limit; replay it, or raise the limit with a policy"
        )
