"""`hopper dead-letters replay`: publishes dead letters again, after the cause is repaired."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

import click
import msgspec

from connectors.errors import Unavailable
from connectors.rabbitmq.dead_letter_handlers import MAX_IN_FLIGHT, Replay
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import Selection
from connectors.rabbitmq.replay import Plan
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.letters.queue import CODES_OF_CHANGING, DeadLetterPlace, of_queue, selecting
from flows.cli.letters.report import report_none_selected
from flows.cli.output import UNSURE, note, paint, plural, print_json, print_text


class ReplayTarget(msgspec.Struct):
    """An exchange and routing key, and the number of messages published there."""

    exchange: str
    routing_key: str
    count: int


class StayedMessages(msgspec.Struct):
    """Selected messages that stay in the queue, and why."""

    why: str
    count: int


class Replayed(msgspec.Struct):
    """The output of `hopper dead-letters replay --json`."""

    queue: str
    dry_run: bool
    browsed: int
    selected: int
    replayed: int
    """Confirmed by the broker and removed from the queue; in a dry run: would be published."""
    targets: list[ReplayTarget]
    left: list[StayedMessages]


@make(
    "replay",
    "Publish dead letters again, after you have removed the cause.",
    examples=(
        "hopper dead-letters replay --dry-run",
        "hopper dead-letters replay --kind document_parsing_exception",
        "hopper dead-letters replay --to-queue --older-than 1h --limit 1000",
    ),
    codes={
        exit_codes.DONE: "all selected messages are replayed; with --dry-run: would be",
        **CODES_OF_CHANGING,
        exit_codes.PARTLY: "some selected messages stay in the queue; the output says why",
    },
)
@of_queue
@selecting
@options.limit("Replay at most this many messages, the oldest first.")
@click.option(
    "--to-queue", is_flag=True, help="Publish only to the queue that they were consumed from."
)
@click.option(
    "--max-replays",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Keep messages that were replayed this many times, and rejected again.",
)
@click.option("--dry-run", is_flag=True, help="Report what would be replayed; publish nothing.")
def command(
    where: DeadLetterPlace,
    as_json: bool,
    limit: int | None,
    to_queue: bool,
    max_replays: int,
    dry_run: bool,
    selection: Selection,
) -> int:
    """Publish dead letters again, to their first exchange with their first routing key.

    All queues that are bound there get them, as the first time; --to-queue publishes them only to
    the queue that they were consumed from. The command replays the messages that are in the queue
    when it starts, so it does not replay a message again that is rejected again.

    It removes a dead letter after the broker has confirmed its copy. So an interrupted replay loses
    nothing, but up to 100 messages may be sent twice; from a quorum queue a few more, because it
    applies acknowledgements later than the broker accepts them.
    """
    now = datetime.now(UTC)
    plan = Plan(to_queue, where.source_queues, max_replays)
    replay = Replay(selection, now, limit or inf, plan, where.source_urls, dry_run=dry_run)
    letters = DeadLetterQueue(where.urls, where.queue, None if selection != Selection() else limit)
    try:
        letters.go_over(replay)
    except (Unavailable, KeyboardInterrupt):
        note(f"interrupted: {_count(replay)} so far; up to {MAX_IN_FLIGHT} more may have been sent")
        raise
    if letters.is_stream:
        note(
            f"{paint('warning', UNSURE)}: queue {where.queue} is a stream, which keeps replayed "
            "messages: another replay sends them again"
        )
    if not as_json and not replay.selected:
        return report_none_selected(selection, replay.kinds, where.queue)
    result = _result(where.queue, letters, replay, dry_run)
    if as_json:
        print_json(result)
    else:
        _print(result)
    return exit_codes.PARTLY if result.left else exit_codes.DONE


def _count(replay: Replay) -> str:
    return plural(replay.replayed, "dead letter is replayed", "dead letters are replayed")


def _result(queue: str, letters: DeadLetterQueue, replay: Replay, dry_run: bool) -> Replayed:
    targets = [ReplayTarget(*route, count) for route, count in replay.routes.most_common()]
    left = [StayedMessages(*one) for one in replay.left.most_common()]
    done = (letters.browsed, replay.selected, replay.replayed)
    return Replayed(queue, dry_run, *done, targets, left)


def _print(result: Replayed) -> None:
    did = "would replay" if result.dry_run else "replayed"
    print_text(
        f"queue {result.queue}: {did} {result.replayed} of {plural(result.selected, 'dead letter')}"
    )
    for target in result.targets:
        where = f'exchange "{target.exchange}", routing key' if target.exchange else "queue"
        print_text(f"{target.count:>8}  sent to {where} {target.routing_key}")
    for left in result.left:
        print_text(f"{left.count:>8}  {paint('stay', UNSURE)}: {left.why}")
