"""Finds the queue of dead letters, and the options that select its messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import click

from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes, options
from flows.cli.output import error, printable, tell
from flows.spec import chosen_path

MAX_LOOK = 10_000
"""Messages that a look reads: each of them is handed out by the broker and given back."""

WRONG_MEANS = "an option or the pipeline is wrong, or no reason is as it was asked for"
"""The meaning of `exit_codes.WRONG` for all commands that select."""

_NEEDED = (("source", "rabbitmq", "url"), ("source", "rabbitmq", "queue"), ("dead_letter",))
"""What must have a value; secrets of Elasticsearch need none."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class DeadLetterPlace(NamedTuple):
    """A queue of dead letters, and where its messages came from."""

    urls: tuple[str, ...]
    queue: str
    source_urls: tuple[str, ...]
    source_queues: tuple[str, ...]


def _all(*decorators: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for one in reversed(decorators):
            function = one(function)
        return function

    return decorate


of_queue = _all(
    click.argument("file", required=False),
    click.option(
        "--queue",
        metavar="NAME",
        help="The queue of dead letters, where dead_letter names an exchange.",
    ),
    options.env,
    options.as_json,
)
"""What all of the commands have."""

_selection_options = _all(
    click.option(
        "--kind",
        "kinds",
        metavar="TEXT",
        multiple=True,
        help="Only reasons of a kind that begins so; several: any of them.",
    ),
    click.option(
        "--reason",
        "reasons",
        metavar="TEXT",
        multiple=True,
        help="Only reasons that have this text in them; several: any of them.",
    ),
    click.option("--index", metavar="NAME", help="Only of this index; * stands for any text."),
    click.option(
        "--older-than", metavar="DURATION", callback=options.duration, help="As in 1h or 2d."
    ),
    click.option("--newer-than", metavar="DURATION", callback=options.duration, help="As in 30m."),
)


def selecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select messages; the command receives them as a `selection`."""

    @_selection_options
    @wraps(function)
    def command(
        kinds: Sequence[str],
        reasons: Sequence[str],
        index: str | None,
        older_than: float | None,
        newer_than: float | None,
        **others: Any,
    ) -> Any:
        selection = Selection(
            kinds=kinds,
            reasons=reasons,
            index=index,
            older_than=older_than,
            newer_than=newer_than,
        )
        return function(selection=selection, **others)

    return command


def place(file: str | None, environment: Mapping[str, str], queue: str | None) -> DeadLetterPlace:
    """Find the queue of dead letters of a pipeline.

    Raises:
        SpecError: the file is wrong.
        UsageError: it does not tell the queue.
    """
    pipeline = options.pipeline(file or chosen_path(), environment, _NEEDED)
    source, dead_letter = pipeline.source.rabbitmq, pipeline.dead_letter
    if source is None:
        raise click.UsageError("the source is not RabbitMQ: there are no dead letters to look at")
    rabbitmq = dead_letter.rabbitmq if dead_letter is not None else None
    if queue is None and (rabbitmq is None or rabbitmq.exchange):
        where = f"they go to the exchange {rabbitmq.exchange}" if rabbitmq else "it has none"
        raise click.UsageError(
            f"dead_letter does not tell in which queue dead letters are: {where}; "
            "name the queue with --queue"
        )
    urls = (rabbitmq.url if rabbitmq else None) or source.url
    name = queue or (rabbitmq.routing_key if rabbitmq else "")
    return DeadLetterPlace(urls, name, source.url, source.queue)


def none_meant(selection: Selection, kinds: Mapping[str, int], queue: str) -> int:
    """Say that no message is meant; return the exit code, which tells of a wrong name."""
    if not kinds:
        tell(f"queue {queue}: no dead letters")
        return exit_codes.DONE
    if not (selection.kinds or selection.reasons):
        tell(f"queue {queue}: no dead letter is meant")
        return exit_codes.DONE
    error(f"queue {queue}: no dead letter has such a reason; the kinds of reasons are:")
    for kind in kinds:
        error(f"  {printable(kind)}")
    return exit_codes.WRONG
