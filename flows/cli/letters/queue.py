"""Finds the dead-letter queue of a pipeline, and has the options that select its messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import click

from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes, options
from flows.spec import chosen_path

MAX_BROWSED = 10_000
"""The largest number of messages to browse: the broker delivers each, and gets it requeued."""

_WRONG = {
    exit_codes.WRONG: "an option or the pipeline is invalid, or no message has the given kind or "
    "reason"
}
CODES_OF_READING: Mapping[int, str] = {
    exit_codes.UNAVAILABLE: "the broker is unreachable or refuses",
    **_WRONG,
}
"""Exit codes of the commands that leave all messages where they are."""
CODES_OF_CHANGING: Mapping[int, str] = {
    exit_codes.UNAVAILABLE: "the broker is unreachable or refuses, or the connection was lost",
    **_WRONG,
}
"""Exit codes of the commands that take messages out of the queue."""

_NEEDED = (("source", "rabbitmq", "url"), ("source", "rabbitmq", "queue"), ("dead_letter",))
"""The paths that need real values; secrets of Elasticsearch need none."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class DeadLetterPlace(NamedTuple):
    """A dead-letter queue, and the queue that its messages came from."""

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


_queue_options = _all(
    click.argument("file", required=False),
    click.option(
        "--queue",
        metavar="NAME",
        help="The dead-letter queue, if dead_letter names an exchange.",
    ),
    options.env,
    options.as_json,
)

_selection_options = _all(
    click.option(
        "--kind",
        "kinds",
        metavar="TEXT",
        multiple=True,
        help="Select messages whose kind of reason begins with this; several: with any of them.",
    ),
    click.option(
        "--reason",
        "reasons",
        metavar="TEXT",
        multiple=True,
        help="Select messages whose reason contains this text; several: any of them.",
    ),
    click.option(
        "--index", metavar="NAME", help="Select messages for this index; * matches any text."
    ),
    click.option(
        "--older-than",
        metavar="DURATION",
        callback=options.duration,
        help="Select messages that were dead-lettered longer ago, as in 1h or 2d.",
    ),
    click.option(
        "--newer-than",
        metavar="DURATION",
        callback=options.duration,
        help="Select messages that were dead-lettered more recently, as in 30m.",
    ),
)


def of_queue(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of all commands for dead letters.

    The command receives the queue as `where`, and `as_json`.
    """

    @_queue_options
    @wraps(function)
    def command(
        file: str | None, queue: str | None, environment: Mapping[str, str], **others: Any
    ) -> Any:
        return function(where=_place(file, environment, queue), **others)

    return command


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


def _place(file: str | None, environment: Mapping[str, str], queue: str | None) -> DeadLetterPlace:
    """Find the dead-letter queue of a pipeline.

    Raises:
        SpecError: the file is invalid.
        UsageError: neither the file nor `queue` names the queue, or the job consumes it.
    """
    pipeline = options.pipeline(file or chosen_path(), environment, _NEEDED)
    source, dead_letter = pipeline.source.rabbitmq, pipeline.dead_letter
    if source is None:
        raise click.UsageError("the source is not RabbitMQ, so there are no dead letters")
    rabbitmq = dead_letter.rabbitmq if dead_letter is not None else None
    if queue is None and (rabbitmq is None or rabbitmq.exchange):
        where = f"they go to the exchange {rabbitmq.exchange}" if rabbitmq else "it has none"
        raise click.UsageError(
            f"dead_letter does not name the queue of dead letters: {where}; "
            "name the queue with --queue"
        )
    urls = (rabbitmq.url if rabbitmq else None) or source.url
    name = queue or (rabbitmq.routing_key if rabbitmq else "")
    if name in source.queue:  # its messages wait for the job: none of them is a dead letter
        raise click.UsageError(
            f"the job consumes the queue {name}, so its messages are no dead letters; "
            "--queue names the queue of dead letters"
        )
    return DeadLetterPlace(urls, name, source.url, source.queue)
