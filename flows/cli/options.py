"""Options that several commands have, and what they come to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flows.config import env_file
from flows.spec import content_of

STDIN = "-"

F = TypeVar("F", bound=Callable[..., Any])

as_json: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, in the shape that `hopper schema` tells."
)
env: Callable[[F], F] = click.option(
    "--env",
    "environment",
    metavar="FILE",
    callback=lambda _ctx, _param, value: _environment(value),
    help="Take variables from a file of KEY=VALUE lines; they outrank those of the environment.",
)


def name_of(file: str) -> str:
    """What messages call a file."""
    return "<stdin>" if file == STDIN else file


def content(file: str) -> bytes:
    """Read a file, or standard input.

    Raises:
        SpecError: it cannot be read.
    """
    return sys.stdin.buffer.read() if file == STDIN else content_of(file)


def _environment(file: str | None) -> dict[str, str]:
    """The environment, with what a file says; all that is wrong with the file ends the command."""
    if file is None:
        return dict(os.environ)
    try:
        said = env_file.parse(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"--env {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"--env {file}: is not text in UTF-8") from None
    except ValueError as error:
        raise click.UsageError(f"--env {file}:{error}") from None
    return {**os.environ, **said}
