"""Options of several commands, and the functions that read their values."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from connectors.errors import SpecError
from connectors.units import Duration
from flows.config import env_file
from flows.config.placeholders import examine_file
from flows.config.problems import line, path_text
from flows.config.yaml import Path
from flows.spec import TESTS, Pipeline, content_of

STDIN = "-"

F = TypeVar("F", bound=Callable[..., Any])

as_json: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; `hopper schema` prints its schema."
)
as_json_lines: Callable[[F], F] = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, one object on each line; `hopper schema` prints its schema.",
)
env: Callable[[F], F] = click.option(
    "--env",
    "environment",
    metavar="FILE",
    callback=lambda _ctx, _param, value: _environment(value),
    help="Read variables from a file of KEY=VALUE lines; they override the environment.",
)
yes: Callable[[F], F] = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def urls(help_text: str) -> Callable[[F], F]:
    """Return the option `--url`, which may be given several times."""
    return click.option(
        "--url", "urls", multiple=True, metavar="URL", callback=_urls, help=help_text
    )


def _urls(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> Sequence[str]:
    for value in values:
        if not value.startswith(("http://", "https://")):
            raise click.BadParameter(f"must be a URL; write http://{value}")
    return values


def timeout(default: str, help_text: str) -> Callable[[F], F]:
    """Return the option `--timeout`, in seconds."""
    return click.option(
        "--timeout",
        "seconds",
        metavar="DURATION",
        default=default,
        show_default=True,
        callback=duration,
        help=help_text,
    )


def limit(help_text: str) -> Callable[[F], F]:
    """Return the option `--limit`: at most so many messages."""
    return click.option("--limit", type=click.IntRange(1), help=help_text)


def name_of(file: str) -> str:
    """Return the name of a file in messages."""
    return "<stdin>" if file == STDIN else file


def content(file: str) -> bytes:
    """Read a file, or standard input.

    Raises:
        SpecError: the file cannot be read.
    """
    return sys.stdin.buffer.read() if file == STDIN else content_of(file)


def duration(_ctx: object, _param: object, value: str | None) -> float | None:
    """Read `10s` as 10.0; a callback of click."""
    try:
        return None if value is None else _DURATION.validate_python(value)
    except ValidationError as error:
        text = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(text) from None


_DURATION: TypeAdapter[float] = TypeAdapter(Duration)


def pipeline(file: str, environment: Mapping[str, str], needed: tuple[Path, ...] = ()) -> Pipeline:
    """Read a pipeline; placeholders replace missing values, but not at or below `needed`.

    Raises:
        SpecError: the file cannot be read, is wrong, or lacks a value that is needed.
    """
    return pipeline_of(file, content(file), environment, needed)


def pipeline_of(
    file: str, content: bytes, environment: Mapping[str, str], needed: tuple[Path, ...] = ()
) -> Pipeline:
    """Return the pipeline of a file that is read already; see `pipeline`."""
    name = name_of(file)
    examined = examine_file(Pipeline, content, environment, left_out=TESTS)
    if examined.problems:
        raise SpecError([line(name, one) for one in examined.problems])
    missing = [
        f"{name}: {path_text(path)}: {one} has no value: set it, or name a file of variables "
        "with --env"
        for path, names in examined.unset.items()
        for one in names
        if examined.spec is None or any(path[: len(need)] == need for need in needed)
    ]
    if missing or examined.spec is None:
        raise SpecError(missing)
    return examined.spec


def _environment(file: str | None) -> dict[str, str]:
    """Return the environment with the variables of a file; an error in it ends the command."""
    if file is None:
        return dict(os.environ)
    try:
        variables = env_file.parse(_text(file))
    except OSError as error:
        raise click.UsageError(f"--env {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"--env {file}: is not text in UTF-8") from None
    except ValueError as error:
        raise click.UsageError(f"--env {file}:{error}") from None
    return {**os.environ, **variables}


def _text(file: str) -> str:
    with open(file, encoding="utf-8") as lines:
        return lines.read()
