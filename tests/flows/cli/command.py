"""Runs the command as users do, and returns its output and exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jsonschema  # type: ignore[import-untyped]
from click.testing import CliRunner

from flows.cli.main import run

TOP = Path(__file__).parents[3]


class CommandResult(NamedTuple):
    """The output of a command, and its exit code."""

    code: int
    out: str
    err: str


def hopper(
    *arguments: str,
    folder: Path | None = None,
    stdin: str | bytes = "",
    environment: dict[str, str] | None = None,
) -> CommandResult:
    """Run a command in this process, with its own streams; `environment` is added to ours.

    Our own environment names no pipeline.
    """
    env = {"HOPPER_PIPELINE": None, **(environment or {})}
    with (
        chdir(folder or TOP),
        CliRunner().isolation(input=stdin, env=env) as (out, err, _),
    ):
        code = run([*arguments])
        sys.stderr.flush()
        return CommandResult(code, out.getvalue().decode(), err.getvalue().decode())


def hopper_asked(*arguments: str, typed: bytes) -> CommandResult:
    """Run a command in this process, with a terminal for its questions, where `typed` is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    with (
        open(ours, "wb"),
        open(theirs) as terminal,
        patch.object(sys, "stdin", terminal),
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as err,
    ):
        return CommandResult(run([*arguments]), out.getvalue(), err.getvalue())


def hopper_shown(*arguments: str) -> str:
    """What a command shows on a terminal, with colours; it runs in this process."""
    ours, theirs = pty.openpty()
    with (
        open(ours, "rb", buffering=0) as shown,
        open(theirs, "w") as terminal,
        redirect_stdout(terminal),
        redirect_stderr(terminal),
    ):
        run([*arguments])
        terminal.flush()
        return shown.read(65536).decode()


def hopper_process(
    *arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> CommandResult:
    """Run it in a process of its own, which becomes the job after `hopper run`."""
    plain = {name: value for name, value in os.environ.items() if name != "HOPPER_PIPELINE"}
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=folder or TOP,
        env={**plain, "PYTHONPATH": str(TOP), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return CommandResult(done.returncode, done.stdout.decode(), done.stderr.decode())


def json_of(called: CommandResult, *command: str) -> Any:
    """Its output as JSON, checked against the shape that `hopper schema` prints."""
    result = json.loads(called.out)
    schema = json.loads(hopper("schema", *command).out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(result, schema)
    return result
