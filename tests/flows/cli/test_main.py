"""All commands share help, errors, exit codes and colours."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from flows.cli.main import COMMANDS
from flows.cli.main import hopper as group
from flows.version import VERSION
from tests.flows.cli.command import TOP, hopper, hopper_shown, json_of


def test_the_commands_are_listed_with_what_they_do() -> None:
    result = hopper("--help")

    assert result.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.out
    assert "HOPPER_PIPELINE" in result.out


OF_DEAD_LETTERS = [f"dead-letters {name}" for name in ("discard", "list", "replay", "show")]


@pytest.mark.parametrize(
    "name", [name for name in (*COMMANDS, *OF_DEAD_LETTERS) if name != "dead-letters"]
)
def test_each_help_has_an_example_and_the_exit_codes(name: str) -> None:
    result = hopper(*name.split(), "--help")

    assert (result.code, result.err) == (0, "")
    assert f"Usage: hopper {name} " in result.out
    assert f"\nExamples:\n  hopper {name}" in result.out
    assert "\nExit codes:\n  0 " in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect"], "No such command 'inspect'"),
        (["dead-letter", "list"], "No such command 'dead-letter'. Did you mean 'dead-letters'?"),
        (["check", "--jsn"], "No such option '--jsn'"),
        (["schema", "nothing"], "there is no schema of nothing; there are: pipeline, tests, check"),
        (["run", "-w"], "Option '-w' requires an argument"),
        (["run", "a.yaml", "b.yaml"], "Got unexpected extra argument (b.yaml)"),
    ],
)
def test_a_wrong_call_gives_one_sentence_and_exit_code_2(arguments: list[str], words: str) -> None:
    result = hopper(*arguments)

    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "Traceback" not in result.err


def test_the_commands_for_dead_letters_are_listed() -> None:
    result = hopper("dead-letters", "--help").out
    assert [f"dead-letters {name}" for name in re.findall(r"(?m)^  (\w+)  +[A-Z]", result)] == (
        OF_DEAD_LETTERS
    )


def test_each_command_is_listed_by_the_group() -> None:
    for name in COMMANDS:
        command = group.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name
    assert group.get_command(None, "main") is None  # type: ignore[arg-type]


def test_the_version_is_that_of_the_package() -> None:
    assert hopper("version").out.startswith(f"hopper {VERSION} (Python 3.")
    assert json_of(hopper("version", "--json"), "version")["hopper"] == VERSION


def test_the_schema_is_the_one_for_editors() -> None:
    assert json.loads(hopper("schema").out) == json.loads(
        (TOP / "flows/pipeline.schema.json").read_text()
    )


def test_there_are_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    check = ["check", str(TOP / "pipeline.yaml")]
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in hopper(*check).out
    assert "\x1b[" in hopper_shown(*check)

    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in hopper_shown(*check)


def test_a_reader_that_closes_the_pipe_is_no_error() -> None:
    """Like `head`."""
    done = subprocess.run(
        f"{sys.executable} -m flows schema | head -1",
        shell=True,
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")
