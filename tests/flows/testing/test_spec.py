"""What a user reads about a mistake in a test."""

from __future__ import annotations

import pytest

from connectors.errors import SpecError
from connectors.spec import Spec
from flows.config.problems import validate
from flows.config.yaml import read
from flows.testing.spec import FileOfTests, PipelineFile, is_file_of_tests
from tests.documents import WHOLE


def told(text: str, model: type[Spec] = FileOfTests) -> str:
    try:
        validate(model, read(text, {"RABBITMQ_URL": "amqp://h"}), "a.test.yaml")
    except SpecError as error:
        return str(error)
    return ""


TEST = """tests:
  - name: a
    steps:
      - {body: {n: 1}}
    expect: {}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("tests:", "test:", "a.test.yaml:1:1: test: unknown key; did you mean `tests`?"),
        ("name: a", "name: ''", "2:11: tests[0].name: must not be empty"),
        ("name: a", "title: a", "2:5: tests[0].title: unknown key; write name"),
        ("- {body: {n: 1}}", "[]", "4:7: tests[0].steps: must not be empty"),
        (
            "{body: {n: 1}}",
            "{at: 5, body: 1}",
            "4:14: tests[0].steps[0].at: write the unit: 5s",
        ),
        (
            "{body: {n: 1}}",
            "{at: 5s}",
            "4:9: tests[0].steps[0]: needs exactly one of: body, text, base64, answer, down, "
            "lose_connection, crash, stop, complete",
        ),
        (
            "{body: {n: 1}}",
            "{body: 1, down: 1s}",
            "4:9: tests[0].steps[0]: needs exactly one of: body, text, base64, answer, down, "
            "lose_connection, crash, stop, complete",
        ),
        (
            "{body: {n: 1}}",
            "{down: 1s, headers: {a: 1}}",
            "4:29: tests[0].steps[0].headers: belongs to a message, which has body or text or "
            "base64",
        ),
        (
            "- {body: {n: 1}}",
            "[{at: 2s, body: 1}, {at: 1s, body: 2}]",
            "4:32: tests[0].steps[1].at: is before the step above it",
        ),
        ("{body: {n: 1}}", "{base64: 'a'}", "4:18: tests[0].steps[0].base64: must be base64"),
        (
            "{body: {n: 1}}",
            "{body: 1, properties: {headers: {}}}",
            "4:32: tests[0].steps[0].properties.headers: unknown key; write headers beside "
            "properties",
        ),
        (
            "{body: {n: 1}}",
            "{answer: {status: 200}}",
            "4:27: tests[0].steps[0].answer.status: must be at least 400",
        ),
        ("{body: {n: 1}}", "{kill: 1s}", "4:10: tests[0].steps[0].kill: unknown key; write crash"),
        ("expect: {}", "", "2:5: tests[0].expect: is missing"),
        ("expect: {}", "start: now\n    expect: {}", "5:12: tests[0].start: must be a time, as in"),
        (
            "expect: {}",
            "expect: {dlq: []}",
            "5:14: tests[0].expect.dlq: unknown key; write dead_letters",
        ),
        (
            "expect: {}",
            "expect: {acknowledged: [{messages: [0]}]}",
            "5:41: tests[0].expect.acknowledged[0].messages[0]: must be at least 1",
        ),
        (
            "expect: {}",
            "expect: {}\n    until: 1s\n  - {name: a, steps: [{body: 1}], expect: {}}",
            "7:12: tests[1].name: is the name of a test above it too",
        ),
        (
            "{body: {n: 1}}",
            "{at: 5s, body: 1}\n    until: 4s",
            "5:12: tests[0].until: is before the last step",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_remedy(right: str, wrong: str, words: str) -> None:
    assert told(TEST) == ""
    assert words in told(TEST.replace(right, wrong))


def test_a_file_without_tests_is_told() -> None:
    assert told("tests: []") == "a.test.yaml:1:8: tests: must not be empty"


def test_tests_in_a_pipeline_are_held_to_the_same() -> None:
    pipeline = WHOLE.text + TEST
    assert told(pipeline, PipelineFile) == ""
    wrong = told(pipeline.replace("{n: 1}", "{n: 1}, dwon: 1s"), PipelineFile)
    assert wrong.endswith("tests[0].steps[0].dwon: unknown key; did you mean `down`?")


def test_a_file_of_tests_has_its_name() -> None:
    assert is_file_of_tests("a/orders.test.yaml")
    assert not is_file_of_tests("a/orders.yaml")
