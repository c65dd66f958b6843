"""The command as its users call it: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema  # type: ignore[import-untyped]
from click.testing import CliRunner

from flows.cli.main import run

TOP = Path(__file__).parents[3]


class Told(NamedTuple):
    """What a command has said."""

    code: int
    out: str
    err: str


def hopper(
    *arguments: str,
    folder: Path | None = None,
    stdin: str | bytes = "",
    environment: dict[str, str] | None = None,
) -> Told:
    """Run a command in this process, with streams of its own; `environment` is added to ours.

    Of ours, the environment has no pipeline.
    """
    env = {"HOPPER_PIPELINE": None, **(environment or {})}
    with (
        chdir(folder or TOP),
        CliRunner().isolation(input=stdin, env=env) as (out, err, _),
    ):
        code = run([*arguments])
        sys.stderr.flush()
        return Told(code, out.getvalue().decode(), err.getvalue().decode())


def hopper_process(
    *arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> Told:
    """Run it as users do, in a process, which becomes the job where it is `hopper run`."""
    plain = {name: value for name, value in os.environ.items() if name != "HOPPER_PIPELINE"}
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=folder or TOP,
        env={**plain, "PYTHONPATH": str(TOP), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return Told(done.returncode, done.stdout.decode(), done.stderr.decode())


def json_of(told: Told, *command: str) -> Any:
    """What was told as JSON, which has the shape that `hopper schema` tells."""
    result = json.loads(told.out)
    schema = json.loads(hopper("schema", *command).out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(result, schema)
    return result
