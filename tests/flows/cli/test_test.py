"""`hopper test`, as a user calls it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.flows.cli.command import hopper, json_of

PIPELINE = """\
version: 1
name: orders
source: {rabbitmq: {url: "${BROKER}", queue: orders}}
aggregate: {by: order, window: {count: 2, time: 1m}}
sink: {elasticsearch: {url: "${CLUSTER}", index: "${INDEX:-orders}", id: {field: line}}}
"""
RIGHT = """
tests:
  - name: two lines are a group
    steps: [{body: {order: a, line: 1}}, {body: {order: a, line: 2}}]
    expect:
      groups: [{key: a, completed_by: count}]
"""
WRONG = """\
tests:
  - name: an index of its own
    steps:
      - {body: {order: a, line: 1}}
    expect:
      documents:
        - index: returns
          source: {order: a, line: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE + RIGHT)
    (tmp_path / "orders.yaml").write_text(PIPELINE)
    (tmp_path / "orders.test.yaml").write_text(WRONG)
    return tmp_path


DIFFERENT = """\
orders.test.yaml
  failed  an index of its own
    orders.test.yaml:7: expect.documents[0].index
      expected: "returns"
      actual:   "orders"
    orders.test.yaml:8: expect.documents[0].source.line
      expected: 2
      actual:   1
"""


def without_seconds(text: str) -> str:
    return text.rpartition(", in ")[0]


def test_tests_in_the_pipeline_pass(folder: Path) -> None:
    told = hopper("test", "pipeline.yaml", folder=folder)

    assert (told.code, told.err) == (0, "")
    assert without_seconds(told.out) == (
        "pipeline.yaml\n  passed  two lines are a group\n1 test: 1 passed, 0 failed"
    )
    assert told.out.endswith(" ms\n")


def test_a_test_that_fails_tells_what_was_expected_and_what_came(folder: Path) -> None:
    """A pipeline brings along the file of tests that has its name."""
    told = hopper("test", "orders.yaml", folder=folder)

    assert (told.code, told.err) == (4, "")
    assert without_seconds(told.out) == DIFFERENT + "1 test: 0 passed, 1 failed"
    assert hopper("test", "orders.test.yaml", folder=folder).out.startswith(DIFFERENT)


def test_without_a_file_all_tests_of_the_folder_are_run(folder: Path) -> None:
    told = hopper("test", folder=folder)
    assert told.code == 4
    assert told.out.splitlines()[:3] == [
        "pipeline.yaml",
        "  passed  two lines are a group",
        "orders.test.yaml",
    ]

    chosen = hopper("test", folder=folder, environment={"HOPPER_PIPELINE": "orders.yaml"})
    assert chosen.out.startswith(DIFFERENT)
    assert "two lines" not in chosen.out


def test_some_tests_are_chosen_by_their_name(folder: Path) -> None:
    told = hopper("test", "--name", "lines", folder=folder)
    assert (told.code, "orders.test.yaml" in told.out) == (0, False)

    told = hopper("test", "--name", "nothing", folder=folder)
    assert (told.code, told.out) == (2, "")
    assert "no test has nothing in its name; there are: two lines are a group, an index" in told.err


def test_json_has_the_shape_that_is_documented(folder: Path) -> None:
    result = json_of(hopper("test", "--json", folder=folder), "test")

    assert (result["passed"], [one["file"] for one in result["files"]]) == (
        False,
        ["pipeline.yaml", "orders.test.yaml"],
    )
    [failed] = result["files"][1]["tests"]
    assert (failed["name"], failed["line"], failed["passed"]) == ("an index of its own", 2, False)
    assert failed["differences"][0] == {
        "line": 7,
        "path": "expect.documents[0].index",
        "expected": '"returns"',
        "actual": '"orders"',
    }
    assert result["files"][1]["pipeline"] == "orders.yaml"


def test_junit_has_a_case_for_each_test(folder: Path) -> None:
    told = hopper("test", "--junit", "results.xml", folder=folder)
    assert told.code == 4

    root = ElementTree.parse(folder / "results.xml").getroot()  # our own file
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    right, wrong = root.findall("testsuite")
    assert (right.get("name"), right.get("failures")) == ("pipeline.yaml", "0")
    assert right.find("testcase/failure") is None
    case, failure = wrong.find("testcase"), wrong.find("testcase/failure")
    assert case is not None
    assert failure is not None
    assert (case.get("name"), case.get("line")) == ("an index of its own", "2")
    assert failure.get("message") == "orders.test.yaml:7: expect.documents[0].index"
    assert '  expected: "returns"\n  actual:   "orders"' in str(failure.text)

    told = hopper("test", "--junit", "nowhere/results.xml", folder=folder)
    assert told.code == 2
    assert "--junit nowhere/results.xml: cannot be written: No such file or directory" in told.err


def test_variables_come_from_a_file(folder: Path) -> None:
    (folder / "returns.env").write_text("INDEX=returns\n")
    told = hopper("test", "--env", "returns.env", "orders.test.yaml", folder=folder)
    assert ".index" not in told.out
    assert ".source.line" in told.out


def test_a_file_of_tests_may_name_its_pipeline(folder: Path) -> None:
    below = folder / "below"
    below.mkdir()
    (below / "a.test.yaml").write_text("pipeline: ../orders.yaml\n" + RIGHT)

    told = hopper("test", "below/a.test.yaml", folder=folder)

    assert told.code == 0


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("a.test.yaml", RIGHT, "error: a.yaml: cannot be read: No such file or directory; "),
        ("orders.test.yaml", "tests: []", "error: orders.test.yaml:1:8: tests: must not be empty"),
        (
            "orders.yaml",
            PIPELINE.replace("count: 2", "cuont: 2"),
            "error: orders.yaml:4:33: aggregate.window.cuont: unknown key; did you mean `count`?",
        ),
        (
            "pipeline.yaml",
            PIPELINE + RIGHT.replace("expect:", "expects:"),
            "error: pipeline.yaml:10:5: tests[0].expects: unknown key; did you mean `expect`?",
        ),
        (
            "empty.yaml",
            PIPELINE,
            "there is no test in empty.yaml: write `tests:`, as docs/testing.md explains",
        ),
    ],
)
def test_a_mistake_is_told_and_nothing_is_run(
    folder: Path, file: str, text: str, words: str
) -> None:
    (folder / file).write_text(text)

    told = hopper("test", file, folder=folder)

    assert (told.code, told.out) == (2, "")
    assert words in told.err
    assert "Traceback" not in told.err


def test_the_job_leaves_tests_out_and_check_does_not(folder: Path) -> None:
    """A mistake in a test keeps no job from starting, and no other command from working."""
    wrong = PIPELINE + RIGHT.replace("expect:", "expects:").replace("line: 2", "line: '${'")
    (folder / "pipeline.yaml").write_text(wrong)

    assert hopper("graph", folder=folder).code == 0
    told = hopper("check", "pipeline.yaml", "orders.test.yaml", folder=folder)
    assert told.code == 2
    assert "pipeline.yaml:9:66: error: tests[0].steps[1].body.line: ${ is never closed" in told.out
    assert "pipeline.yaml:10:5: error: tests[0].expects: unknown key" in told.out
    assert "orders.test.yaml is valid\n" in told.out
