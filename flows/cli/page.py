"""Makes the page about the commands, `docs/commands.md`, from their `--help`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from flows.cli.command import DescribedCommand
from flows.cli.main import hopper


def page() -> str:
    """Return the page of all commands, in Markdown."""
    root = click.Context(hopper, info_name="hopper")
    return "\n".join(_commands(hopper, root)).strip()


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
        else:
            assert isinstance(command, DescribedCommand)
            yield from _section(command, inner)


def _section(command: DescribedCommand, context: click.Context) -> Iterator[str]:
    arguments = [one.make_metavar(context) for one in command.params if _is_argument(one)]
    yield f"## {context.command_path}\n"
    yield f"`{' '.join([context.command_path, '[OPTIONS]', *arguments])}`\n"
    yield "\n\n".join(
        " ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")
    )
    yield "\n| Option | |\n|---|---|"
    for one in command.params:
        entry = None if _is_argument(one) else one.get_help_record(context)
        if entry is not None:
            yield f"| `{entry[0]}` | {' '.join(entry[1].split())} |"
    yield "\n```sh"
    yield from command.examples
    yield "```\n"
    yield "| Code | |\n|---|---|"
    for code, text in command.codes.items():
        yield f"| {code} | {text} |"
    yield ""


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)
