"""Writes the output of commands: text, coloured on a terminal only, or JSON for programs."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import click
import msgspec

RIGHT, WRONG, UNSURE = "green", "red", "yellow"
"""Colours."""


def tell(text: str = "") -> None:
    """Write a line to standard output."""
    click.echo(text, color=_colour(sys.stdout))


def error(text: str) -> None:
    """Write an error to standard error."""
    click.echo(f"{paint('error', WRONG)}: {text}", err=True, color=_colour(sys.stderr))


def note(text: str) -> None:
    """Write a note to standard error, apart from the result of the command."""
    click.echo(text, err=True, color=_colour(sys.stderr))


def paint(text: str, colour: str, *, bold: bool = True) -> str:
    """Colour a text; the colours are left out where there is no terminal."""
    return click.style(text, fg=colour, bold=bold)


def tell_json(result: Any) -> None:
    """Write a result as one JSON value, in the shape that `hopper schema COMMAND` prints."""
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=2)
    click.echo(encoded.decode())


def printable(text: str) -> str:
    """Escape control characters, so that the text of a message cannot control the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def plural(count: int, one: str, several: str | None = None) -> str:
    """`1 message`, `2 messages`."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def _colour(stream: TextIO) -> bool | None:
    """`NO_COLOR` in the environment, with any value, means none; else click looks at the stream."""
    return False if os.environ.get("NO_COLOR") else None
