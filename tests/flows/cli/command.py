"""The command as its users call it: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema  # type: ignore[import-untyped]

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
    """Run a command in a process of its own; of ours, the environment has no pipeline."""
    plain = {name: value for name, value in os.environ.items() if name != "HOPPER_PIPELINE"}
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=folder or TOP,
        env={**plain, "PYTHONPATH": str(TOP), **(environment or {})},
        input=stdin.encode() if isinstance(stdin, str) else stdin,
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
