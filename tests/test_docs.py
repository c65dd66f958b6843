"""Each block of a README is run or checked: programs, tests, pipelines, commands and pictures."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from connectors.errors import SpecError
from flows.audit import symptoms
from flows.audit.symptoms import Symptom
from flows.cli.main import hopper as group
from flows.process import start
from flows.spec import load
from tests.documents import (
    ENVIRONMENT,
    READMES,
    ROOT,
    TESTING,
    WHOLE,
    Block,
    blocks,
    code,
    commands,
)
from tests.flows.cases import cases

# Blocks


def test_each_block_is_in_a_language_that_is_checked() -> None:
    """Blocks without a language are pictures; `ruby` and `yml` are other tools' configurations."""
    assert {block.language for block in blocks()} <= {
        *("", "yaml", "text", "sh", "python", "json"),
        *("ruby", "yml"),
    }


@pytest.mark.parametrize("block", blocks(""), ids=str)
def test_a_picture_shows_the_steps_of_the_flow(block: Block) -> None:
    steps = re.findall(r'op\.\w+\(\s*"(\w+)"', (ROOT / "flows/pipeline.py").read_text())

    [line] = [line for line in block.text.splitlines() if line.lstrip().startswith("source ")]

    shown = [step.strip() for step in line.split("──▶")]
    assert shown == [step for step in steps if step in shown]
    assert len(shown) == 5


def test_the_reason_that_is_shown_is_one_of_health() -> None:
    [block] = blocks("json")
    shown = json.loads(block.text)
    [kind] = [kind for kind in symptoms.KINDS if kind.name == shown["kind"]]

    assert shown == Symptom(kind, shown["cause"], 39.0).record(1796040050.0)


CASES = [block for block in blocks("yaml") if block.text.startswith("- case:")]
PIPELINES = [block for block in blocks("yaml") if block not in CASES and block.path != TESTING]


@pytest.mark.parametrize("block", PIPELINES, ids=str)
def test_a_pipeline_is_valid_or_its_errors_are_below(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("pipeline.yaml")
    path.write_text(block.text)
    if "version" not in yaml.safe_load(block.text):
        path.write_text(yaml.safe_dump(merged(yaml.safe_load(WHOLE.text), block.text)))

    try:
        load(path, ENVIRONMENT)
        printed = ""
    except SpecError as error:
        printed = f"{error}\n"

    below = [each for each in blocks() if each.path == block.path and each.line > block.line][:1]
    assert printed == "".join(each.text for each in below if each.language == "text")


def merged(whole: Any, part: str) -> Any:
    """A whole pipeline, changed by a part of one."""

    def merge(old: Any, new: Any) -> Any:
        if not isinstance(old, dict) or not isinstance(new, dict):
            return new
        return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}

    return merge(whole, yaml.safe_load(part))


@pytest.mark.parametrize("block", CASES, ids=str)
def test_each_key_of_a_case_is_used_by_some_case(block: Block) -> None:
    """Each key of the case, its steps and its expected outcomes."""
    assert keys(yaml.safe_load(block.text)) <= keys([case for _, case in cases()])


def keys(cases: list[dict[str, Any]]) -> set[str]:
    parts = [part for case in cases for part in (case, *case["steps"], *case["expect"])]
    return {key for part in parts for key in part}


def test_each_text_block_follows_the_yaml_it_is_about() -> None:
    every = blocks()
    for above, block in itertools.pairwise(every):
        if block.language == "text":
            assert (above.path, above.language) == (block.path, "yaml"), str(block)


PROGRAMS = [block for block in blocks("python") if not block.needs_services]


@pytest.mark.parametrize("block", [block for block in PROGRAMS if not block.is_test], ids=str)
def test_a_program_runs(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})


for _block in PROGRAMS:
    if _block.is_test:
        # The block defines a test of this module, which pytest finds.
        exec(compile(_block.text, str(_block), "exec"), globals())


# Commands


def inline_commands() -> list[list[str]]:
    """Commands within a sentence."""
    lines = [line for path in READMES for line in code(path)]
    return [
        words
        for line in lines
        if re.match(r"(make|python|hopper) ", line)
        for words in commands(line)
    ]


WORDS = [words for block in blocks("sh") for words in commands(block.text)] + inline_commands()


@pytest.mark.parametrize("words", sorted({tuple(words) for words in WORDS}), ids=" ".join)
def test_a_command_is_valid(words: tuple[str, ...]) -> None:
    """Its program, its options and the files that it names exist."""
    program, *arguments = words
    if program == "make":
        subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
    elif program == "docker":
        assert (ROOT / arguments[arguments.index("-f") + 1]).is_file()
    elif program == "kubectl" and "-k" in arguments:
        assert (ROOT / arguments[arguments.index("-k") + 1] / "kustomization.yaml").is_file()
    elif program == "kubectl":
        assert arguments[0] in ("create", "delete")
    elif program == "git":
        assert re.fullmatch(r"show HEAD:[\w.-]+\.yaml", " ".join(arguments))
    elif program == "cp":
        assert (ROOT / arguments[0]).is_file()
    elif program == "deploy/check.sh":
        assert os.access(ROOT / program, os.X_OK)
    elif program == "export":
        assert re.match("|".join(ENVIRONMENT), arguments[0])
    elif program == "hopper":
        check_hopper(arguments)
    elif Path(program).name in ("python", "python3"):
        check_python(arguments)
    else:
        pytest.fail(f"{program} has no check")


def check_hopper(arguments: list[str]) -> None:
    """A command, and options from its help."""
    command: Any = group
    context = click.Context(group)
    while isinstance(command, click.Group):
        command = command.get_command(context, arguments.pop(0))
    known = {option for one in command.params for option in one.opts}
    assert {word for word in arguments if re.match("-+[a-z]", word)} <= known


def check_python(arguments: list[str]) -> None:
    """A module or a script, with options from its help or its source."""
    if arguments[0] == "-m":
        _, module, *rest = arguments
        command: tuple[str, ...] = ("-m", module)
        spec = importlib.util.find_spec(module)
        assert spec, module
        if spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{module}.__main__") or spec
        source = Path(spec.origin or "").read_text()
    else:
        script, *rest = arguments
        command = (script,)
        source = (ROOT / script).read_text()
    for word in rest:
        if word.startswith("-"):
            assert word in source or word in help_of(*command), word
        elif re.search(r"\.(py|yaml)$|/$", word):
            assert (ROOT / word).exists(), word
        elif word.startswith("flows."):
            assert word in ("flows.pipeline", 'flows.pipeline:flow("orders.yaml")')


@cache
def help_of(*command: str) -> str:
    command = (sys.executable, *command, "--help")
    plain = os.environ | {
        "PYTEST_ADDOPTS": "--noconftest"
    }  # our conftest adds no option, but takes another second
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("environment", "flow"),
    [
        ({}, "flows.pipeline"),
        ({"HOPPER_PIPELINE": "orders.yaml"}, "flows.pipeline"),
        ({}, 'flows.pipeline:flow("orders.yaml")'),
    ],
)
def test_the_named_file_is_the_one_that_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    flow: str,
) -> None:
    """In the working directory; the error about the file shows which one it is."""
    right = environment.get("HOPPER_PIPELINE") or ("orders" in flow and "orders.yaml")
    (tmp_path / (right or "pipeline.yaml")).write_text("version: 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOPPER_PIPELINE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["python -m bytewax.run", flow])
    program = importlib.util.find_spec("bytewax.run")
    assert program
    assert program.origin

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(program.origin, run_name="__main__")

    assert ended.value.code == start.EXIT_SPEC
    assert capsys.readouterr().err.startswith(f"{right or 'pipeline.yaml'}:1:")
