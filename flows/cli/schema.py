"""`hopper schema`: prints the schemas of `pipeline.yaml` and of the output of commands."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from flows.cli import exit_codes
from flows.cli.command import command as make
from flows.cli.output import print_json


def of_results() -> dict[str, Any]:
    """Return the type that each command prints with `--json`, by the name of the command."""
    from flows import graph  # noqa: PLC0415
    from flows.cli import (  # noqa: PLC0415  # only if needed
        check,
        pausing,
        plan,
        setup,
        try_sample,
        version,
    )
    from flows.cli.letters import discard, list_kinds, replay, show  # noqa: PLC0415
    from flows.cli.watching import job_now  # noqa: PLC0415
    from flows.state import inspect  # noqa: PLC0415
    from flows.tap import samples  # noqa: PLC0415
    from flows.testing import results  # noqa: PLC0415

    return {
        "check": check.Checked,
        "dead-letters discard": discard.Discarded,
        "dead-letters list": list_kinds.Listed,
        "dead-letters replay": replay.Replayed,
        "dead-letters show": show.Shown,
        "graph": graph.Graph,
        "pause": pausing.Changed,
        "plan": plan.Planned,
        "resume": pausing.Changed,
        "setup": setup.SetUp,
        "state": inspect.FolderContent,
        "tap": samples.Sample,
        "test": results.Tested,
        "top": job_now.JobNow,
        "try": try_sample.Tried,
        "version": version.Versions,
    }


@make(
    "schema",
    "Print the JSON Schema of pipeline.yaml, of files of tests, or of a command's --json output.",
    examples=(
        "hopper schema > pipeline.schema.json",
        "hopper schema tests > tests.schema.json",
        "hopper schema dead-letters list",
    ),
    codes={exit_codes.DONE: "printed", exit_codes.WRONG: "there is no such schema"},
)
@click.argument("words", metavar="[COMMAND]", nargs=-1)
def command(words: tuple[str, ...]) -> None:
    """Print the JSON Schema of pipeline.yaml, or of the --json output of COMMAND.

    `tests` in place of COMMAND prints the schema of files of tests (`*.test.yaml`).
    """
    name = " ".join(words) or "pipeline"
    if name in ("pipeline", "tests"):
        from flows.json_schema import schema, schema_of_tests  # noqa: PLC0415

        print_json(schema() if name == "pipeline" else schema_of_tests())
        return
    results = of_results()
    if name not in results:
        known = ", ".join(["pipeline", "tests", *results])
        raise click.UsageError(f"there is no schema of {name}; there are: {known}")
    print_json({"$schema": _DIALECT, **msgspec.json.schema(results[name])})


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
