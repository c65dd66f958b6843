"""The base of all commands: their help ends with examples and exit codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click


class DescribedCommand(click.Command):
    """A command whose help ends with examples and the meaning of its exit codes."""

    def __init__(
        self, *arguments: Any, examples: tuple[str, ...], codes: Mapping[int, str], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.examples, self.codes = examples, codes

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command`."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in self.codes.items()])


def command(
    name: str, short_help: str, *, examples: tuple[str, ...], codes: Mapping[int, str]
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command from a function; its docstring is the help."""
    return click.command(
        name, DescribedCommand, short_help=short_help, examples=examples, codes=codes
    )
