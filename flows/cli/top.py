"""`hopper top`: shows a running job in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import click

from connectors.errors import Unavailable
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import print_json_line
from flows.cli.processes import processes
from flows.cli.watching.followers import Followers
from flows.spec import chosen_path

EVERY = 1.0
"""Seconds between two pictures; a process makes a snapshot as often."""
FIRST_WITHIN = 5.0
"""Seconds that processes have for the first two snapshots, which make a rate."""


@make(
    "top",
    "Show a running job: what limits it, its rates, its health.",
    examples=(
        "hopper top",
        "hopper top orders.yaml --once",
        "hopper top orders.yaml --json --url http://orders-1:9100",
    ),
    codes={
        exit_codes.DONE: "shown, until Ctrl-C; also a job that is not healthy",
        exit_codes.UNAVAILABLE: "no process answers",
        exit_codes.WRONG: "an option or the file is wrong",
    },
)
@click.argument("file", required=False)
@options.urls("A process on another machine; several: all.")
@click.option("--once", is_flag=True, help="Print one snapshot as text, and end.")
@options.env
@options.as_json_lines
def command(
    file: str | None,
    urls: Sequence[str],
    once: bool,
    environment: Mapping[str, str],
    as_json: bool,
) -> int:
    """Show what the running job of the pipeline FILE does now, each second, until Ctrl-C.

    The first line says what limits the job: the broker, prefetch or memory, CPU, or Elasticsearch.
    Below it stand the health with what helps, the rates, the messages in flight, open groups, bulk
    requests, retries and dead letters by reason.

    It follows all processes of the job on this machine, and the others of its cluster that their
    ports name; with --url exactly those. A process that does not answer is named as missing, and
    is followed again when it answers. Without a terminal it prints one snapshot, as with --once;
    with --json a snapshot each second.
    """
    pipeline = options.pipeline(file or chosen_path(), environment)
    found = [process.url for process in processes(pipeline, urls)]
    with Followers(pipeline.name, found) as followers, suppress(KeyboardInterrupt):
        _begin(followers, with_cluster=not urls)
        if as_json:
            _print_json(followers, once=once)
        else:
            _print(followers, once=once or not sys.stdout.isatty())
    return exit_codes.DONE


def _begin(followers: Followers, *, with_cluster: bool) -> None:
    """Wait for the first snapshots.

    Raises:
        Unavailable: there is none.
    """
    followers.wait(1, FIRST_WITHIN)
    if with_cluster:
        followers.add_cluster()
    followers.wait(2, FIRST_WITHIN)
    now = followers.now()
    if now.limit is None:
        raise Unavailable("; ".join(one.missing or "" for one in now.processes))


def _print_json(followers: Followers, *, once: bool) -> None:
    print_json_line(followers.now())
    while not once:
        time.sleep(EVERY)
        print_json_line(followers.now())


def _print(followers: Followers, *, once: bool) -> None:
    # Imported only here: the list of all commands imports this module too.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from flows.cli.watching.screen import Fitted, screen  # noqa: PLC0415

    console = Console(markup=False, emoji=False, highlight=False)
    if once:
        console.print(screen(followers.now()))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(Fitted(screen(followers.now())), refresh=True)
            time.sleep(EVERY)
