"""Writes the output of commands: text, coloured on a terminal only, or JSON for programs."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import click
import msgspec

RIGHT, WRONG, UNSURE = "green", "red", "yellow"
"""Colours."""


def print_text(text: str = "") -> None:
    """Print a line to standard output."""
    click.echo(text, color=_colour(sys.stdout))


def error(text: str) -> None:
    """Print an error to standard error."""
    click.echo(f"{paint('error', WRONG)}: {text}", err=True, color=_colour(sys.stderr))


def note(text: str) -> None:
    """Print a note to standard error, so that it is not part of the command's result."""
    click.echo(text, err=True, color=_colour(sys.stderr))


def paint(text: str, colour: str, *, bold: bool = True) -> str:
    """Colour a text; click removes the colours if the output is no terminal."""
    return click.style(text, fg=colour, bold=bold)


def print_json(result: Any) -> None:
    """Print a result as one JSON value; `hopper schema COMMAND` prints its schema."""
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=2)
    click.echo(encoded.decode())


def print_json_line(result: Any) -> None:
    """Print one of several results, as JSON on a line of its own, at once."""
    click.echo(msgspec.json.encode(result).decode())


def printable(text: str) -> str:
    """Escape control characters, so that the text of a message cannot control the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def plural(count: int, one: str, several: str | None = None) -> str:
    """Return a count with its noun: `1 message`, `2 messages`."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def _colour(stream: TextIO) -> bool | None:
    """Return `False` if `NO_COLOR` is set; `None`: click colours terminals only."""
    return False if os.environ.get("NO_COLOR") else None
