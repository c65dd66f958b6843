"""`hopper run` is `python -m bytewax.run flows.pipeline`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bytewax.run
import pytest

from flows.cli.run import OPTIONS, arguments
from tests.flows.cli.command import hopper, hopper_process


def test_the_options_are_those_of_bytewax() -> None:
    """All of them, and no others."""
    help_text = subprocess.check_output([sys.executable, "-m", "bytewax.run", "--help"], text=True)
    parser = bytewax.run._create_arg_parser()  # type: ignore[no-untyped-call]
    of_bytewax = {text for action in parser._actions for text in action.option_strings}

    of_hopper = {*OPTIONS, *(long for long, _, _ in OPTIONS.values())}
    assert of_bytewax - {"-h", "--help"} <= of_hopper
    assert all(option in help_text for option in of_hopper)


def test_options_are_passed_on() -> None:
    assert arguments({}) == ["-m", "bytewax.run", "flows.pipeline"]
    assert arguments({"process_id": "1", "addresses": "a:1;b:2", "workers_per_process": None}) == [
        *("-m", "bytewax.run", "flows.pipeline"),
        *("--process-id", "1", "--addresses", "a:1;b:2"),
    ]


@pytest.mark.parametrize(
    ("given", "environment", "name"),
    [
        (["orders.yaml"], {}, "orders.yaml"),
        ([], {"HOPPER_PIPELINE": "orders.yaml"}, "orders.yaml"),
        (["orders.yaml"], {"HOPPER_PIPELINE": "other.yaml"}, "orders.yaml"),
        ([], {}, "pipeline.yaml"),
    ],
)
def test_a_file_is_given_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: list[str], environment: dict[str, str], name: str
) -> None:
    """The process becomes the job of that file."""
    programs: list[tuple[list[str], str]] = []

    def replace(_: str, program: list[str], environment: dict[str, str]) -> None:
        programs.append((program, environment["HOPPER_PIPELINE"]))

    monkeypatch.setattr("os.execve", replace)

    assert hopper("run", *given, environment=environment).code == 0

    assert programs == [([sys.executable, "-m", "bytewax.run", "flows.pipeline"], name)]


def test_the_job_runs_the_given_file(tmp_path: Path) -> None:
    """The error about the file shows which one it is."""
    (tmp_path / "orders.yaml").write_text("version: 2\n")

    result = hopper_process(
        *("run", "orders.yaml", "-w", "2"),
        folder=tmp_path,
        environment={"HOPPER_PIPELINE": "other.yaml"},
    )

    assert result.code == 2
    assert result.err.startswith("orders.yaml:1:")
