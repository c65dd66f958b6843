"""`hopper check`, as users call it."""

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


def test_a_valid_file(folder: Path) -> None:
    assert hopper("check", "right.yaml", folder=folder) == (0, "right.yaml is valid\n", "")


def test_a_warning_has_its_place_and_the_file_stays_valid(folder: Path) -> None:
    assert hopper("check", "warned.yaml", folder=folder) == (
        0,
        "warned.yaml:5:13: warning: aggregate.window.time: is missing: the last window waits for "
        "more messages until the job stops\n"
        "warned.yaml is valid, with 1 warning\n",
        "",
    )


def test_all_problems_of_several_files_are_reported(folder: Path) -> None:
    result = hopper("check", "wrong.yaml", "right.yaml", "nowhere.yaml", ".", folder=folder)

    assert result.code == 2
    assert result.err == ""
    assert result.out.splitlines() == [
        "wrong.yaml:2:10: error: version: must be 1",
        "wrong.yaml:3:7: error: name: must match ^[A-Za-z0-9_-]{1,64}$",
        "wrong.yaml is invalid, with 2 errors",
        "right.yaml is valid",
        "nowhere.yaml: error: cannot be read: No such file or directory; it was looked for as "
        f"{folder}/nowhere.yaml; another file is named by HOPPER_PIPELINE=orders.yaml",
        "nowhere.yaml is invalid, with 1 error",
        f".: error: cannot be read: Is a directory; it was looked for as {folder}; another file "
        "is named by HOPPER_PIPELINE=orders.yaml",
        ". is invalid, with 1 error",
    ]


def test_standard_input_can_be_checked(folder: Path) -> None:
    assert hopper("check", "-", stdin=RIGHT) == (0, "<stdin> is valid\n", "")
    assert hopper("check", "-", stdin="a: {b: 1\n").out.splitlines() == [
        "<stdin>:1:4: error: not YAML: the { that opens here needs its }",
        "<stdin> is invalid, with 1 error",
    ]
    assert hopper("check", "-", stdin=b"a: \xff").out.splitlines() == [
        "<stdin>:1:1: error: is not text in UTF-8",
        "<stdin> is invalid, with 1 error",
    ]


def test_the_file_of_the_job_is_checked_by_default(folder: Path) -> None:
    result = hopper("check", folder=folder, environment={"HOPPER_PIPELINE": "right.yaml"})
    assert result == (0, "right.yaml is valid\n", "")

    assert hopper("check", folder=folder).out.startswith("pipeline.yaml: error: cannot be read: ")


def test_json_has_the_documented_shape(folder: Path) -> None:
    result = hopper("check", "--json", "wrong.yaml", "warned.yaml", "nowhere.yaml", folder=folder)

    checked = json_of(result, "check")
    assert (result.code, result.err, checked["valid"]) == (2, "", False)
    wrong, warned, nowhere = checked["files"]
    assert [one["valid"] for one in checked["files"]] == [False, True, False]
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
    """The output names their placeholders, which are no problem."""
    assert hopper("check", "-", stdin=SECRETS).out.splitlines() == [
        "<stdin> is valid",
        f"  placeholders used for {NAMES}",
    ]
    result = hopper("check", "-", stdin=SECRETS.replace("time: 1s", "time: 1"))
    assert result.out.startswith(
        "<stdin>:11:11: error: aggregate.window.time: write the unit: 1s\n"
    )


def test_a_file_of_variables_is_used(tmp_path: Path) -> None:
    """It outranks the environment, and its values are not shown."""
    (tmp_path / "variables").write_text(
        "# of production\n\nexport COUNT='12'\nES_URL=secret://secret\nPORT = 1\n"
    )
    called = ("check", "--env", "variables", "-")
    result = hopper(*called, folder=tmp_path, stdin=SECRETS)
    assert (result.code, result.out) == (2, "")
    assert "--env variables:5: must be KEY=VALUE, without spaces around the =" in result.err

    (tmp_path / "variables").write_text("export COUNT='12'\nES_URL=secret://secret\n")
    result = hopper(*called, folder=tmp_path, stdin=SECRETS, environment={"ES_URL": "http://a"})
    assert result.code == 2
    assert result.out.splitlines() == [
        "<stdin>:14:10: error: sink.elasticsearch.url: must start with http:// or https://",
        "<stdin> is invalid, with 1 error",
        "  placeholders used for USER_OF_BROKER, PASSWORD, HOST, PORT, file:/nowhere/api_key",
    ]

    result = hopper("check", "--env", "nowhere", "-", folder=tmp_path, stdin=SECRETS)
    assert result.code == 2
    assert "--env nowhere: cannot be read: No such file or directory" in result.err
