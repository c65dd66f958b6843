"""`hopper dead-letters`: lists, replays or discards rejected messages."""

from __future__ import annotations

import click

from flows.cli.letters import discard, list_kinds, replay, show


@click.group("dead-letters", short_help="List, show, replay or discard dead letters.")
def command() -> None:
    """Look after the messages that were rejected, and are in the queue of dead letters.

    The pipeline tells which queue that is: dead_letter, else --queue.
    """


for _one in (list_kinds, show, replay, discard):
    command.add_command(_one.command)
