"""`hopper version`: prints versions."""

from __future__ import annotations

import platform
from importlib.metadata import version

import msgspec

from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import print_json, print_text
from flows.version import VERSION


class Versions(msgspec.Struct):
    """The output of `hopper version --json`."""

    hopper: str
    python: str
    bytewax: str


@make(
    "version",
    "Print the versions of Hopper, Python and Bytewax.",
    examples=("hopper version", "hopper version --json"),
    codes={exit_codes.DONE: "always"},
)
@options.as_json
def command(as_json: bool) -> None:
    """Print the versions of Hopper, Python and Bytewax."""
    versions = Versions(VERSION, platform.python_version(), version("bytewax"))
    if as_json:
        print_json(versions)
    else:
        print_text(
            f"hopper {versions.hopper} (Python {versions.python}, Bytewax {versions.bytewax})"
        )
