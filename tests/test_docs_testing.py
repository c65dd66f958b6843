"""The page on tests: each test of it passes, or what stands below it is what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from flows.config.yaml import read
from flows.testing.expect_spec import Expectation
from flows.testing.spec import PipelineTest
from flows.testing.steps_spec import ACTIONS, MessageSpec
from tests.documents import ENVIRONMENT, ROOT, TESTING, WHOLE, Block, blocks, table
from tests.flows.cli.command import hopper

BLOCKS = blocks(path=TESTING)
TESTS = [block for block in BLOCKS if block.language == "yaml"]


def below(block: Block) -> str:
    """What is said to be told of a block."""
    [after] = BLOCKS[BLOCKS.index(block) + 1 :][:1] or [block]
    return after.text if after.language == "text" else ""


def write_pipeline(block: Block, folder: Path) -> None:
    """The pipeline of the README, with what the block says otherwise, and its tests at the end."""
    whole, part = read(WHOLE.text, ENVIRONMENT).value, read(block.text, {}).value
    if part.keys() == {"tests"}:
        (folder / "pipeline.yaml").write_text(WHOLE.text + "\n" + block.text)
        return
    whole |= {"aggregate": part.get("aggregate", whole["aggregate"]), "tests": part["tests"]}
    whole["sink"]["elasticsearch"] |= part.get("sink", {}).get("elasticsearch", {})
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(whole))


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_a_test_passes_or_what_it_says_stands_below(block: Block, tmp_path: Path) -> None:
    write_pipeline(block, tmp_path)
    expected = below(block)

    told = hopper("test", folder=tmp_path)

    assert told.err == ""
    if expected:
        assert (told.code, told.out.rpartition(", in ")[0] + "\n") == (4, expected)
    else:
        assert told.code == 0, told.out


def test_every_key_of_a_step_and_of_an_expectation_is_told() -> None:
    steps = {key for row in table(TESTING, "Step") for key in re.findall(r"`(\w+)", row[0])}
    keys = {key for row in table(TESTING, "Key") for key in re.findall(r"`(\w+)`", row[0])}
    assert steps == {one for one in ACTIONS if one not in MessageSpec.model_fields}
    assert keys == {*MessageSpec.model_fields, "start", "until"} - {"at"}

    rows = tables(TESTING.read_text())
    assert rows.keys() == Expectation.model_fields.keys()
    for name, told in rows.items():
        model = Expectation.mapping_at(name)
        assert told == ([] if model is None else list(model.model_fields)), name


def tables(text: str) -> dict[str, list[str]]:
    """The keys of each list of `expect`."""
    _, _, rest = text.partition("| Key | Its items | |\n|---|---|---|\n")
    rows = [line.split("|")[1:3] for line in rest.partition("\n\n")[0].splitlines()]
    return {name.strip(" `"): re.findall(r"`(\w+)`", items) for name, items in rows}


def test_each_fault_is_in_some_test_of_the_page() -> None:
    parsed = [
        PipelineTest.model_validate(test)
        for block in TESTS
        for test in read(block.text, {}).value["tests"]
    ]
    used = {name for test in parsed for step in test.steps for name in step.model_fields_set}
    assert used >= set(ACTIONS) | MessageSpec.model_fields.keys()


def test_the_tests_of_the_pipeline_at_the_top_pass() -> None:
    """`pipeline.test.yaml` is the first one that a newcomer sees."""
    told = hopper("test", folder=ROOT)

    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("pipeline.test.yaml\n  passed  ")
