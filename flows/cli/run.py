"""`hopper run`: a short name for `python -m bytewax.run flows.pipeline`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from flows.cli.command import command as make
from flows.spec import chosen_path

OPTIONS = {
    "-w": ("--workers-per-process", "N", "Workers in this process."),
    "-i": ("--process-id", "N", "Number of this process in the cluster, from 0."),
    "-a": (
        "--addresses",
        "LIST",
        "Addresses of all processes of the cluster: 'localhost:2101;localhost:2102'.",
    ),
    "-r": ("--recovery-directory", "DIR", "Bytewax's recovery store, which Hopper does not need."),
    "-s": ("--snapshot-interval", "SECONDS", "Bytewax's epoch, 10 if not set."),
    "-b": ("--backup-interval", "SECONDS", "How long the recovery store keeps old states."),
}
"""The options of Bytewax."""


def _bytewax_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for short, (long, metavar, text) in reversed(OPTIONS.items()):
        function = click.option(short, long, metavar=metavar, help=text)(function)
    return function


@make(
    "run",
    "Run the job of a pipeline until it is stopped.",
    examples=(
        "hopper run",
        "hopper run orders.yaml -w 2",
        "hopper run -i 0 -a 'localhost:2101;localhost:2102'",
    ),
    codes={
        0: "drained: all consumed messages are acknowledged or requeued",
        1: "a service is unreachable or refuses, or another process of the cluster has ended",
        2: "an option or the pipeline is invalid",
        3: "not drained within drain_timeout; the broker redelivers the remaining messages",
        143: "ended at once by a second signal n: 128 + n",
    },
)
@click.argument("file", required=False)
@_bytewax_options
def command(file: str | None, **given: str | None) -> None:
    """Run the job of FILE until it is stopped; Ctrl-C and SIGTERM drain it.

    It replaces itself with `python -m bytewax.run flows.pipeline`, with the same options.
    """
    sys.stdout.flush()
    environment = os.environ | {"HOPPER_PIPELINE": file or chosen_path()}
    os.execve(sys.executable, [sys.executable, *arguments(given)], environment)


def arguments(given: dict[str, str | None]) -> list[str]:
    """Return the arguments for Python; `given`: by long option names, with `_` for `-`."""
    found = ["-m", "bytewax.run", "flows.pipeline"]
    for long, _, _ in OPTIONS.values():
        value = given.get(long[2:].replace("-", "_"))
        if value is not None:
            found += [long, value]
    return found
