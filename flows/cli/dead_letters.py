"""`hopper dead-letters`: lists, replays or discards rejected messages."""

from __future__ import annotations

import click

from flows.cli.letters import discard, list_kinds, replay, show


@click.group("dead-letters", short_help="List, show, replay or discard dead letters.")
def command() -> None:
    """List, show, replay or discard the messages in the dead-letter queue.

    The queue is the one of dead_letter in the pipeline, else the one that --queue names.
    """


for _one in (list_kinds, show, replay, discard):
    command.add_command(_one.command)
