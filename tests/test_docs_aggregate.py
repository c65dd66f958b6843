"""The page on groups: each example is a test that passes, and the picture is correct."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from connectors.times import read_time
from flows.cli.suites import suites
from flows.config.yaml import read
from flows.simulation.play import LONGEST, TimedStep, play, stop
from flows.simulation.report import Acknowledged, DeadLettered, DocumentWritten, Report
from flows.spec import load, warnings
from flows.testing.spec import PipelineTest
from flows.testing.steps import steps_of
from flows.testing.steps_spec import BODIES
from tests.documents import ENVIRONMENT, PAGE, WHOLE, Block, blocks, table
from tests.flows.cli.command import hopper
from tests.picture import drawn

BLOCKS = blocks(path=PAGE)
MODULE = "my_rules"
"""The name of the reader's own module in the page."""


class Example(NamedTuple):
    """A part of a pipeline, and a test of it."""

    spec: Block
    tests: Block
    module: Block | None

    def __str__(self) -> str:
        return str(self.tests)


def examples() -> Iterator[Example]:
    """The examples of the page, in order."""
    spec = module = None
    for block in BLOCKS:
        if block.language == "python":
            module = block
        elif block.text.startswith("tests:"):
            assert spec is not None, str(block)
            yield Example(spec, block, module)
            spec = module = None
        elif block.language == "yaml":
            spec = block


EXAMPLES = list(examples())
PARTS = [b for b in BLOCKS if b.language == "yaml" and not b.text.startswith("tests:")]


@pytest.fixture(autouse=True)
def in_a_folder_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return tmp_path


def write(spec: Block, folder: Path) -> Path:
    """The pipeline of the README with this part, and with the tests and the module of its example.

    Documents get the id of their message, and go to one index: the README's orders have an id and
    a date, other documents have none.
    """
    whole, part = yaml.safe_load(WHOLE.text), yaml.safe_load(spec.text)
    for connector, keys in part.get("source", {}).items():
        whole["source"][connector] |= keys
    whole["sink"]["elasticsearch"] |= {"id": "auto", "index": "documents"}
    text = ""
    if "aggregate" in part:
        del whole["aggregate"]
        text = spec.text[spec.text.index("aggregate:") :]  # as written
    for example in EXAMPLES:
        if example.spec == spec:
            text += example.tests.text
            if example.module is not None:
                (folder / f"{MODULE}.py").write_text(example.module.text)
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(whole) + text)
    return path


class Played(NamedTuple):
    """The test of an example, and what happens in it."""

    test: PipelineTest
    report: Report


@cache
def played(example: Example, stop_before: int | None = None) -> Played:
    """Play the test of an example for a day, with a stop before a step if you like.

    Several tests read the play without a stop.
    """
    [suite] = suites([str(write(example.spec, Path()))], {})
    [test] = suite.tests
    steps = list(steps_of(test))
    if stop_before is not None:
        steps.insert(stop_before, TimedStep(steps[stop_before].at, stop(0.0)))
    start = read_time(test.start)
    assert start is not None
    return Played(test, play(suite.pipeline, steps, start, until=LONGEST))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_passes(example: Example, tmp_path: Path) -> None:
    """`hopper test` runs it; exactly these documents and dead letters, at these times."""
    write(example.spec, tmp_path)

    told = hopper("test", folder=tmp_path)

    assert (told.code, told.err) == (0, ""), told.out


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_shows_everything(example: Example) -> None:
    """Each document with all of its fields, each dead letter with its whole reason and body.

    Nothing else becomes of a message, but that a command is acknowledged.
    """
    test, report = played(example)

    expect = test.expect
    written = [one for one in report.happened if isinstance(one, DocumentWritten)]
    for document, shown in zip(written, expect.documents or (), strict=True):
        assert shown.at is not None
        fields = document.source.keys() - (shown.source or shown.contains or {}).keys()
        assert fields <= {"fingerprint"}, "only that of an early summary differs in each process"
    assert all(one.model_fields_set >= {"at", "messages"} for one in expect.dead_letters)
    assert all(one.model_fields_set & {"body", "text"} for one in expect.dead_letters)
    reasons = [one.reason for one in report.happened if isinstance(one, DeadLettered)]
    assert [one.reason for one in expect.dead_letters] == reasons
    happened = [one for one in report.happened if isinstance(one, Acknowledged)]
    dropped = [number for one in happened if one.how == "dropped" for number in one.messages]
    arrived = [step for step in test.steps if step.model_fields_set & set(BODIES)]
    assert dropped == [at for at, one in enumerate(arrived, 1) if "x-hopper" in (one.headers or {})]


def restarts() -> Iterator[tuple[Example, int]]:
    """Each example, and each place among its steps before the first output."""
    for example in EXAMPLES:
        [given] = read(example.tests.text, {}).value["tests"]
        test = PipelineTest.model_validate(given)
        documents, dead_letters = test.expect.documents or (), test.expect.dead_letters
        outputs = [one.at for one in documents] + [one.at for one in dead_letters]
        first_output = min(at for at in outputs if at is not None)
        times = [at for at, _ in steps_of(test)]
        for at in range(1, len(times)):
            if times[at - 1] < times[at] < first_output:
                yield example, at


@pytest.mark.parametrize(("example", "at"), [*restarts()], ids=str)
def test_an_example_has_the_same_output_with_a_restart(example: Example, at: int) -> None:
    """SIGTERM in the middle, and a new process: the same documents and dead letters.

    Only the clock shows that there was another process: `time` and `idle` start again.
    """
    whole, through = (played(example, stop_before).report for stop_before in (None, at))

    by_event_time = "event_time" in example.spec.text
    assert without_clock(through, by_event_time) == without_clock(whole, by_event_time)
    assert through.unacknowledged == []


def without_clock(report: Report, by_event_time: bool) -> list[str]:
    """The output in a fixed order, without the times of arrival.

    A fingerprint lists redelivered messages, so it is left out too.
    """
    left_out = {"fingerprint", *(() if by_event_time else ("window_start", "window_end"))}
    found: list[object] = []
    for one in report.happened:
        if isinstance(one, DocumentWritten):
            fields = {name: value for name, value in one.source.items() if name not in left_out}
            found.append([one.index, one.id, one.version, fields])
        elif isinstance(one, DeadLettered):
            body = re.sub(r'"fingerprint":"[^"]*",?', "", one.body)
            found.append([one.messages, one.reason, body])
    return sorted(json.dumps(one, sort_keys=True) for one in found)


@pytest.mark.parametrize("block", PARTS, ids=str)
def test_a_pipeline_is_valid_without_warnings(block: Block, tmp_path: Path) -> None:
    """On RabbitMQ and Elasticsearch, in the pipeline of the README."""
    assert warnings(load(write(block, tmp_path), ENVIRONMENT)) == []


def test_each_block_belongs_to_an_example() -> None:
    """Except the picture, a query, and parts of a pipeline that change no document."""
    used = {block for example in EXAMPLES for block in example}
    left = [block for block in BLOCKS if block not in used]
    assert [block.language for block in left] == ["", "json", "yaml"]
    assert "aggregate" not in yaml.safe_load(left[2].text)


def test_the_picture_shows_what_happens() -> None:
    [picture] = [block.text for block in BLOCKS if not block.language]
    rows = [line.partition("  ")[0] for line in picture.splitlines()[2:]]

    assert picture == drawn(rows)


def test_each_kind_is_in_the_table_of_contents() -> None:
    """In the order of the page."""
    titles = [line[3:] for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    linked = [row[0] for row in table(PAGE, "Example")]

    anchors = [link.rpartition("#")[2].rstrip(")") for link in linked]
    assert anchors == [title.lower().replace(" ", "-") for title in titles[1 : 1 + len(anchors)]]
