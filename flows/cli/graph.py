"""`hopper graph`: draws the flow of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping

import click

from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import print_json, print_text
from flows.graph import as_mermaid, as_text, graph
from flows.spec import chosen_path

FORMATS = {"text": as_text, "mermaid": as_mermaid}


@make(
    "graph",
    "Draw the flow of a pipeline, as text or as Mermaid.",
    examples=(
        "hopper graph",
        "hopper graph orders.yaml --format mermaid > orders.mmd",
    ),
    codes={exit_codes.DONE: "drawn", exit_codes.WRONG: "the file is invalid"},
)
@click.argument("file", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="The format of the drawing.",
)
@options.env
@options.as_json
def command(file: str | None, form: str, environment: Mapping[str, str], as_json: bool) -> None:
    """Draw the flow of FILE.

    It shows what completes groups, where they go, and where rejected messages go. The command
    connects to nothing, and uses placeholders for variables that are not set.
    """
    drawn = graph(options.pipeline(file or chosen_path(), environment))
    if as_json:
        print_json(drawn)
    else:
        print_text(FORMATS[form](drawn))
