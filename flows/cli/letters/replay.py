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
from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.letters.queue import WRONG_MEANS, none_meant, of_queue, place, selecting
from flows.cli.output import UNSURE, note, paint, plural, tell, tell_json


class ReplayTarget(msgspec.Struct):
    """Where messages were published."""

    exchange: str
    routing_key: str
    count: int


class StayedMessages(msgspec.Struct):
    """Messages that were meant, and stay."""

    why: str
    count: int


class Replayed(msgspec.Struct):
    """What `hopper dead-letters replay --json` prints."""

    queue: str
    dry_run: bool
    looked_at: int
    selected: int
    replayed: int
    """Confirmed by the broker, and removed from the dead letters; in a dry run: would be sent."""
    targets: list[ReplayTarget]
    left: list[StayedMessages]


@make(
    "replay",
    "Send dead letters back, once the reason is gone.",
    examples=(
        "hopper dead-letters replay --dry-run",
        "hopper dead-letters replay --kind document_parsing_exception",
        "hopper dead-letters replay --to-queue --older-than 1h --limit 1000",
    ),
    codes={
        exit_codes.DONE: "all that were meant are replayed, or would be",
        exit_codes.UNAVAILABLE: "the broker cannot be reached, or refuses, or was lost in between",
        exit_codes.WRONG: WRONG_MEANS,
        exit_codes.PARTLY: "some that were meant stay, and it is told why",
    },
)
@of_queue
@selecting
@click.option(
    "--limit", type=click.IntRange(1), help="Messages to replay at the most, from the oldest on."
)
@click.option(
    "--to-queue", is_flag=True, help="Publish to the queue that they were consumed from, alone."
)
@click.option(
    "--max-replays",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave messages that were replayed so often before, and rejected again.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and publish nothing.")
def command(
    file: str | None,
    queue: str | None,
    environment: dict[str, str],
    as_json: bool,
    limit: int | None,
    to_queue: bool,
    max_replays: int,
    dry_run: bool,
    selection: Selection,
) -> int:
    """Publish dead letters again, as they were: to their exchange, with their routing key.

    Every queue that is bound there gets them, as it did the first time; --to-queue sends them to
    the queue alone that they were consumed from. Only messages that are there at the beginning are
    replayed, so that what is rejected again is not replayed again.

    A dead letter is removed after the broker has confirmed its copy: whenever a replay is
    interrupted, nothing is lost, and up to 100 messages may be sent twice; some more from a quorum
    queue, which applies acknowledgements later than the broker accepts them.
    """
    where, now = place(file, environment, queue), datetime.now(UTC)
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
            f"{paint('warning', UNSURE)}: queue {where.queue} is a stream, which keeps what is "
            "replayed: another replay sends it again"
        )
    if not as_json and not replay.selected:
        return none_meant(selection, replay.kinds, where.queue)
    result = _result(where.queue, letters, replay, dry_run)
    if as_json:
        tell_json(result)
    else:
        _tell(result)
    return exit_codes.PARTLY if result.left else exit_codes.DONE


def _count(replay: Replay) -> str:
    return plural(replay.replayed, "dead letter is replayed", "dead letters are replayed")


def _result(queue: str, letters: DeadLetterQueue, replay: Replay, dry_run: bool) -> Replayed:
    targets = [ReplayTarget(*route, count) for route, count in replay.routes.most_common()]
    left = [StayedMessages(*one) for one in replay.left.most_common()]
    done = (letters.looked_at, replay.selected, replay.replayed)
    return Replayed(queue, dry_run, *done, targets, left)


def _tell(result: Replayed) -> None:
    did = "would replay" if result.dry_run else "replayed"
    tell(
        f"queue {result.queue}: {did} {result.replayed} of {plural(result.selected, 'dead letter')}"
    )
    for target in result.targets:
        where = f'exchange "{target.exchange}", routing key' if target.exchange else "queue"
        tell(f"{target.count:>8}  sent to {where} {target.routing_key}")
    for left in result.left:
        tell(f"{left.count:>8}  {paint('stay', UNSURE)}: {left.why}")
