"""What `hopper pause` and `hopper resume` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import msgspec

from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import plural, print_json, print_text
from flows.cli.processes import TOKEN, processes
from flows.cli.processes import command as carry_out
from flows.spec import chosen_path


class Changed(msgspec.Struct):
    """What `hopper pause --json` and `hopper resume --json` print."""

    job: str
    paused: bool
    processes: list[str]
    """URLs of the processes that were asked."""


def make_command(name: str, help_text: str, *, paused: bool) -> click.Command:
    """Make one of the two commands."""

    def function(
        file: str | None, urls: Sequence[str], environment: Mapping[str, str], as_json: bool
    ) -> None:
        needed = (TOKEN,) if urls else ()
        pipeline = options.pipeline(file or chosen_path(), environment, needed)
        token = pipeline.metrics.token if pipeline.metrics and urls else None
        found = processes(pipeline, urls)
        for process in found:
            carry_out(process, f"/{name}", token.get_secret_value() if token else None)
        if as_json:
            print_json(Changed(pipeline.name, paused, [process.url for process in found]))
        else:
            where = ", ".join(process.url for process in found)
            count = plural(len(found), "process", "processes")
            print_text(f"{name}d {count} of {pipeline.name}: {where}")

    function.__doc__ = help_text
    decorators: list[Callable[[Any], Any]] = [
        make(
            name,
            help_text.partition("\n")[0],
            examples=(f"hopper {name}", f"hopper {name} orders.yaml --url http://orders-1:9100"),
            codes={
                exit_codes.DONE: f"all processes are {name}d",
                exit_codes.UNAVAILABLE: "no process answers, or one refuses",
                exit_codes.WRONG: "the file is wrong",
            },
        ),
        click.argument("file", required=False),
        options.urls("A process on another machine, with metrics.token of the file; several: all."),
        options.env,
        options.as_json,
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    assert isinstance(function, click.Command)
    return function
