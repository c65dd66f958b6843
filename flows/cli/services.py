"""Checks the services that a pipeline names, for `hopper check --connect`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import click
import msgspec

from connectors.errors import SpecError
from connectors.finding import Finding
from flows.spec import Pipeline, content_of

MAX_SAMPLE = 1000
"""The largest number of sample documents, which are sent in one request."""

Documents = Sequence[tuple[int, dict[str, object]]]
"""Documents, each with the number of its line."""


def survey(pipeline: Pipeline, sample: Documents, seconds: float, now: float) -> list[Finding]:
    """Ask all services; `seconds`: the timeout, `now`: in seconds since 1970."""
    return [*_broker(pipeline, seconds), *_cluster(pipeline, sample, seconds, now)]


def _broker(pipeline: Pipeline, seconds: float) -> list[Finding]:
    if pipeline.source.rabbitmq is None:
        return []
    from connectors.rabbitmq.survey import survey  # noqa: PLC0415  # imported only if the pipeline uses it

    dead_letter = pipeline.dead_letter.rabbitmq if pipeline.dead_letter else None
    return survey(pipeline.source.rabbitmq, dead_letter, seconds)


def _cluster(pipeline: Pipeline, sample: Documents, seconds: float, now: float) -> list[Finding]:
    if pipeline.sink.elasticsearch is None:
        return []
    from connectors.elasticsearch.survey import survey  # noqa: PLC0415

    return survey(pipeline.sink.elasticsearch, pipeline.source.chosen.queue, sample, seconds, now)


def read_sample(file: str) -> Documents:
    """Read the documents of a sample, up to `MAX_SAMPLE`.

    Raises:
        UsageError: the file cannot be read, or a line is no JSON object.
    """
    try:
        lines = content_of(file).split(b"\n")
    except SpecError as error:
        raise click.UsageError(f"--sample {error}") from None
    numbered = [(number, one) for number, one in enumerate(lines, start=1) if one.strip()]
    return [
        (number, _document(file, number, one))
        for number, one in itertools.islice(numbered, MAX_SAMPLE)
    ]


def _document(file: str, number: int, line: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise click.UsageError(f"--sample {file}:{number}: no JSON object: {error}") from None
