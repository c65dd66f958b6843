"""The command `hopper`: runs one of its commands, and turns errors into exit codes.

It imports only the command that it runs, so that each starts fast.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from connectors.errors import SpecError, Unavailable
from flows.cli import exit_codes
from flows.cli.output import error

COMMANDS = (
    *("check", "dead-letters", "graph", "pause", "plan", "resume"),
    *("run", "schema", "setup", "state", "tap", "test", "top", "try", "version"),
)
"""The names of the commands; each has a module of that name, with `_` for `-`, except `try`."""
MODULES = {"try": "try_sample"}  # `try` is a keyword of Python


WIDTH = 100
"""The largest width of help, in characters."""


class Commands(click.Group):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name.replace("-", "_"))
        module = importlib.import_module(f"flows.cli.{name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`, which knows no command before it is imported, so suggests none."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    epilog="The --help of each command has examples. The pipeline is FILE, else the file that "
    "HOPPER_PIPELINE names, else pipeline.yaml.",
)
def hopper() -> None:
    """Check, try, test, run and operate a pipeline from RabbitMQ to Elasticsearch."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command, and end the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit code; write errors to standard error."""
    try:
        code = hopper.main(arguments, prog_name="hopper", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as wrong:
        wrong.show()
        return exit_codes.WRONG
    except SpecError as wrong:
        for problem in wrong.problems:
            error(problem)
        return exit_codes.WRONG
    except Unavailable as unavailable:
        error(str(unavailable))
        return exit_codes.UNAVAILABLE
    except click.Abort:  # Ctrl-C, or the end of input at a question
        error("interrupted")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Without this, Python would fail again when it flushes the rest of the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.UNAVAILABLE
    return code if isinstance(code, int) else exit_codes.DONE
