"""`hopper check`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.cli.command import hopper, json_of

RIGHT = """
version: 1
name: a
source: {memory: {}}
aggregate: {window: {time: 1s}}
sink: {memory: {}}
"""
WARNED = RIGHT.replace("{time: 1s}", "{count: 2}")
WRONG = RIGHT.replace("version: 1", "version: 2").replace("name: a", "name: a.b")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"right": RIGHT, "warned": WARNED, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_file_that_is_right(folder: Path) -> None:
    assert hopper("check", "right.yaml", folder=folder) == (0, "right.yaml is right\n", "")


def test_a_warning_has_its_place_and_leaves_a_file_right(folder: Path) -> None:
    assert hopper("check", "warned.yaml", folder=folder) == (
        0,
        "warned.yaml:5:13: warning: aggregate.window.time: is missing: the last window waits for "
        "more messages until the job stops\n"
        "warned.yaml is right, with 1 warning\n",
        "",
    )


def test_all_problems_of_several_files_are_told(folder: Path) -> None:
    told = hopper("check", "wrong.yaml", "right.yaml", "nowhere.yaml", ".", folder=folder)

    assert told.code == 2
    assert told.err == ""
    assert told.out.splitlines() == [
        "wrong.yaml:2:10: error: version: must be 1",
        "wrong.yaml:3:7: error: name: must match ^[A-Za-z0-9_-]{1,64}$",
        "wrong.yaml is wrong, with 2 errors",
        "right.yaml is right",
        "nowhere.yaml: error: cannot be read: No such file or directory; it was looked for as "
        f"{folder}/nowhere.yaml; another file is named by HOPPER_PIPELINE=orders.yaml",
        "nowhere.yaml is wrong, with 1 error",
        f".: error: cannot be read: Is a directory; it was looked for as {folder}; another file "
        "is named by HOPPER_PIPELINE=orders.yaml",
        ". is wrong, with 1 error",
    ]


def test_standard_input_is_a_file(folder: Path) -> None:
    assert hopper("check", "-", stdin=RIGHT) == (0, "<stdin> is right\n", "")
    assert hopper("check", "-", stdin="a: {b: 1\n").out.splitlines() == [
        "<stdin>:1:4: error: not YAML: the { that opens here needs its }",
        "<stdin> is wrong, with 1 error",
    ]
    assert hopper("check", "-", stdin=b"a: \xff").out.splitlines() == [
        "<stdin>:1:1: error: is not text in UTF-8",
        "<stdin> is wrong, with 1 error",
    ]


def test_the_file_of_the_job_is_the_one_that_is_checked(folder: Path) -> None:
    told = hopper("check", folder=folder, environment={"HOPPER_PIPELINE": "right.yaml"})
    assert told == (0, "right.yaml is right\n", "")

    assert hopper("check", folder=folder).out.startswith("pipeline.yaml: error: cannot be read: ")


def test_json_has_the_shape_that_is_documented(folder: Path) -> None:
    told = hopper("check", "--json", "wrong.yaml", "warned.yaml", "nowhere.yaml", folder=folder)

    result = json_of(told, "check")
    assert (told.code, told.err, result["right"]) == (2, "", False)
    wrong, warned, nowhere = result["files"]
    assert [one["right"] for one in result["files"]] == [False, True, False]
    assert wrong["notes"][0] == {
        "severity": "error",
        "line": 2,
        "column": 10,
        "path": "version",
        "text": "must be 1",
    }
    assert [note["severity"] for note in warned["notes"]] == ["warning"]
    assert [note["line"] for note in nowhere["notes"]] == [None]


SECRETS = """
version: 1
name: a
source:
  rabbitmq:
    url: amqp://${USER_OF_BROKER}:${PASSWORD}@${HOST}:${PORT}/
    queue: orders
aggregate:
  window:
    count: ${COUNT}
    time: 1s
sink:
  elasticsearch:
    url: ${ES_URL}
    api_key: ${file:/nowhere/api_key}
    index: orders
dead_letter: {rabbitmq: {routing_key: parked}}
"""
NAMES = "USER_OF_BROKER, PASSWORD, HOST, PORT, COUNT, ES_URL, file:/nowhere/api_key"


def test_no_secret_needs_to_be_set() -> None:
    """What stands for them is told, and is no problem."""
    assert hopper("check", "-", stdin=SECRETS).out.splitlines() == [
        "<stdin> is right",
        f"  placeholders stand for {NAMES}",
    ]
    told = hopper("check", "-", stdin=SECRETS.replace("time: 1s", "time: 1"))
    assert told.out.startswith("<stdin>:11:11: error: aggregate.window.time: write the unit: 1s\n")


def test_a_file_of_variables_is_taken_as_it_is(tmp_path: Path) -> None:
    """Right or wrong; it outranks the environment, and what is in it is not shown."""
    (tmp_path / "variables").write_text(
        "# of production\n\nexport COUNT='12'\nES_URL=secret://secret\nPORT = 1\n"
    )
    called = ("check", "--env", "variables", "-")
    told = hopper(*called, folder=tmp_path, stdin=SECRETS)
    assert (told.code, told.out) == (2, "")
    assert "--env variables:5: must be KEY=VALUE, without spaces around the =" in told.err

    (tmp_path / "variables").write_text("export COUNT='12'\nES_URL=secret://secret\n")
    told = hopper(*called, folder=tmp_path, stdin=SECRETS, environment={"ES_URL": "http://a"})
    assert told.code == 2
    assert told.out.splitlines() == [
        "<stdin>:14:10: error: sink.elasticsearch.url: must start with http:// or https://",
        "<stdin> is wrong, with 1 error",
        "  placeholders stand for USER_OF_BROKER, PASSWORD, HOST, PORT, file:/nowhere/api_key",
    ]

    told = hopper("check", "--env", "nowhere", "-", folder=tmp_path, stdin=SECRETS)
    assert told.code == 2
    assert "--env nowhere: cannot be read: No such file or directory" in told.err
