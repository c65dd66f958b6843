"""`hopper dead-letters list`: counts dead letters by the kind of their reason."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from connectors.rabbitmq.dead_letter_handlers import Browse
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.kinds import Kind, Kinds
from flows.cli.letters.queue import (
    CODES_OF_READING,
    MAX_BROWSED,
    DeadLetterPlace,
    of_queue,
    selecting,
)
from flows.cli.letters.report import print_kinds, report_none_selected, warn_of_deliveries
from flows.cli.output import plural, print_json, print_text


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
        **CODES_OF_READING,
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
    where: DeadLetterPlace,
    as_json: bool,
    limit: int,
    selection: Selection,
) -> int:
    """Count dead letters by the kind of their reason: a reason without ids, numbers and quotes.

    All messages stay in the queue. The command receives and requeues them, so the broker marks them
    as redelivered. Up to RabbitMQ 4.2, a quorum queue counts these deliveries, and drops a message
    at its delivery limit; without a limit, it moves requeued messages to its end.
    """
    now = datetime.now(UTC)
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
