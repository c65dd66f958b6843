"""`hopper tap`: shows a sample of what passes in a running job."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from math import inf
from typing import get_args
from urllib.parse import urlencode

import click
import msgspec

from connectors.errors import SpecError
from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import note, plural, print_json_line, print_text
from flows.cli.processes import TOKEN, processes
from flows.cli.watching.sample_lines import lines
from flows.cli.watching.tap_reader import TapReader
from flows.messages.keys import canonical
from flows.process.tap_stream import DEFAULT_RATE, MAX_RATE
from flows.spec import Pipeline, chosen_path
from flows.tap.samples import Place, Sample
from flows.values.group import ABSENT

PATIENCE = 0.2
"""Seconds between two looks at the clock while no sample arrives."""


@make(
    "tap",
    "Show a sample of what passes in a running job.",
    examples=(
        "hopper tap",
        "hopper tap orders.yaml --at write --limit 5 --json",
        "hopper tap orders.yaml --at aggregate --key order-17 --for 1m",
    ),
    codes={
        exit_codes.DONE: "shown, until Ctrl-C, --limit or --for",
        exit_codes.UNAVAILABLE: "no process answers, or all refuse or have ended",
        exit_codes.WRONG: "an option or the file is wrong, or the file has no metrics.token",
    },
)
@click.argument("file", required=False)
@click.option(
    "--at",
    "place",
    type=click.Choice(get_args(Place)),
    default="read",
    show_default=True,
    help="Where: messages that are read, groups that are complete, documents with their answers, "
    "or rejected messages.",
)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="End after so many samples.")
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    callback=options.duration,
    help="End after this time, as in 30s.",
)
@click.option(
    "--rate",
    metavar="N",
    type=click.IntRange(1, MAX_RATE),
    default=DEFAULT_RATE,
    show_default=True,
    help=f"Samples a second of each process, at most; up to {MAX_RATE}.",
)
@click.option(
    "--key",
    metavar="KEY",
    help="Only of this group: the value of `by`, or a JSON list of its values.",
)
@options.urls("A process on another machine; several: all.")
@options.env
@options.as_json_lines
def command(
    file: str | None,
    place: Place,
    limit: int | None,
    seconds: float | None,
    rate: int,
    key: str | None,
    urls: Sequence[str],
    environment: Mapping[str, str],
    as_json: bool,
) -> int:
    """Show a sample of what passes now at one place of the running job of the pipeline FILE.

    What passes is data of messages: the file needs metrics.token, which the command sends to each
    process of the job on this machine, or to those at --url.

    Messages never wait for a sample. When more passes than --rate allows, the samples are spread
    evenly; when the output is slower, samples are dropped and counted. Of a body, the first 2000
    bytes are shown. Messages that are dead-lettered unread, after too many deliveries, pass no
    place.
    """
    pipeline = options.pipeline(file or chosen_path(), environment, (TOKEN,))
    token = _token(pipeline, options.name_of(file or chosen_path()))
    query = [("at", place), ("rate", str(rate)), *_keys(pipeline, place, key)]
    found = [process.url for process in processes(pipeline, urls)]
    streams = [f"{url}/tap?{urlencode(query)}" for url in found]
    until = inf if seconds is None else time.monotonic() + seconds
    shown = 0
    with TapReader(streams, token) as reader, suppress(KeyboardInterrupt):
        for sample in islice(_samples(reader, until), limit):
            _print(sample, as_json=as_json)
            shown += 1
    counts = reader.counts()
    note(f"{plural(shown, 'sample')} of {counts.passed} that have passed")
    if counts.dropped:
        note(f"{plural(counts.dropped, 'sample')} dropped: the output is slower than --rate {rate}")
    return exit_codes.DONE


def _token(pipeline: Pipeline, file: str) -> str:
    """Return the token of the file.

    Raises:
        SpecError: it has none.
    """
    token = pipeline.metrics.token if pipeline.metrics else None
    if token is None:
        raise SpecError(
            [
                f"{file}: metrics.token is missing: what passes is data of messages, which a job "
                "shows only to a request with this token; add it, for example metrics: "
                '{port: 9100, token: "${HOPPER_TOKEN}"}, and restart the job'
            ]
        )
    return token.get_secret_value()


def _keys(pipeline: Pipeline, place: Place, key: str | None) -> Iterator[tuple[str, str]]:
    """Yield the texts that the key may have: it is a text, or a value in JSON."""
    if key is None:
        return
    if pipeline.aggregate.by is None:
        raise click.UsageError(f"--key: messages of {pipeline.name} have no key, without `by`")
    if place == "dead-letter":
        raise click.UsageError("--key: dead letters have no key; --at read shows messages by key")
    yield "key", canonical(key)
    with suppress(msgspec.DecodeError):
        text = canonical(msgspec.json.decode(key))
        if text is not ABSENT:
            yield "key", text


def _samples(reader: TapReader, until: float) -> Iterator[Sample]:
    """Yield samples until that time."""
    while (left := until - time.monotonic()) > 0:
        event = reader.take(min(left, PATIENCE))
        if isinstance(event, str):
            note(event)
        elif event is not None:
            yield event


def _print(sample: Sample, *, as_json: bool) -> None:
    if as_json:
        print_json_line(sample)
    else:
        print_text("\n".join(lines(sample)))
