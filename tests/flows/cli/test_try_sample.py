"""`hopper try`, as a user calls it; with a real queue in `tests/live/test_try.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.cli import samples, try_sample
from tests.flows.cli.command import hopper, json_of

assert try_sample, "imported before a test lowers a limit, which an option of it has too"

PIPELINE = """\
version: 1
name: orders
source: {rabbitmq: {url: "${BROKER}", queue: orders}}
aggregate: {by: order, window: {count: 2, time: 1m}}
sink: {elasticsearch: {url: "${CLUSTER}", index: orders, id: {field: line}}}
"""
SAMPLE = """\
{"order": "a", "line": 1}
{"body": {"order": "a", "line": 2}, "at": "2s", "properties": {"message_id": "m"}}

{"text": "{", "properties": {"content_type": "application/json"}}
{"body": {"order": "b", "line": 3}, "at": "5s", "headers": {"x": 1}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.yaml").write_text(PIPELINE)
    (tmp_path / "sample.ndjson").write_text(SAMPLE)
    return tmp_path


def test_it_tells_groups_requests_dead_letters_and_acknowledgements(folder: Path) -> None:
    told = hopper("try", "orders.yaml", "sample.ndjson", folder=folder)

    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert [line for line in lines if "unreadable" not in line] == [
        '2s   group completed by count, key "a": messages 1 to 2',
        "2s   request POST /orders/_bulk, 2 documents: 2 stored",
        '       {"index":{"_id":"1"}}',
        '       {"order": "a", "line": 1}',
        '       {"index":{"_id":"2"}}',
        '       {"order":"a","line":2}',
        "       {",
        "2s   acknowledged messages 1 to 2: stored",
        '65s  group completed by time, key "b": message 4',
        "65s  request POST /orders/_bulk, 1 document: 1 stored",
        '       {"index":{"_id":"3"}}',
        '       {"order":"b","line":3}',
        "65s  acknowledged message 4: stored",
        "orders: 4 messages: 2 groups, 2 requests, 3 documents written, 3 acknowledged, "
        "1 dead-lettered, 0 unacknowledged",
    ]
    assert any(line.startswith("2s   dead-lettered message 3: unreadable: ") for line in lines)


def test_what_is_open_at_the_end_is_told(folder: Path) -> None:
    told = hopper("try", "orders.yaml", "-", "--for", "30s", folder=folder, stdin=SAMPLE)

    assert "30s  unacknowledged at the end: message 4\n" in told.out
    assert told.out.endswith(" 1 unacknowledged\n")


def test_json_has_the_shape_that_is_documented(folder: Path) -> None:
    result = json_of(hopper("try", "--json", "orders.yaml", "sample.ndjson", folder=folder), "try")

    assert (result["pipeline"], result["report"]["messages"]) == ("orders", 4)
    happened = result["report"]["happened"]
    assert {one["type"] for one in happened} == {
        *("group", "request", "document", "dead_letter", "acknowledged")
    }
    [dead] = [one for one in happened if one["type"] == "dead_letter"]
    assert (dead["at"], dead["messages"], dead["body"]) == (2.0, [3], "{")
    written = [one for one in happened if one["type"] == "document"]
    assert [(one["index"], one["id"], one["source"]["order"]) for one in written] == [
        ("orders", "1", "a"),
        ("orders", "2", "a"),
        ("orders", "3", "b"),
    ]


def test_a_line_is_a_body_unless_it_can_only_describe_a_message(folder: Path) -> None:
    """Other keys beside `body`, or `--bodies`, make it one."""
    lines = '{"body": 1, "order": "a", "line": 1}\n{"body": {"order": "a", "line": 2}}\r\n'

    def sources(*options: str) -> list[object]:
        called = ("try", "--json", "orders.yaml", "-", *options)
        report = json.loads(hopper(*called, folder=folder, stdin=lines).out)["report"]
        written = [one["source"] for one in report["happened"] if one["type"] == "document"]
        dead = [json.loads(one["body"]) for one in report["happened"] if "reason" in one]
        return [*written, *dead]

    first = {"body": 1, "order": "a", "line": 1}
    assert sources() == [first, {"order": "a", "line": 2}]
    assert sources("--bodies") == [first, {"body": {"order": "a", "line": 2}}]


def test_messages_of_a_terminal_are_made_harmless(folder: Path) -> None:
    told = hopper("try", "orders.yaml", "-", folder=folder, stdin='\x1b[2J{"a": 1}')

    assert "\x1b" not in told.out
    assert "\\x1b[2J" in told.out


def test_a_sample_is_read_up_to_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_MESSAGES", 2)
    told = hopper("try", "orders.yaml", "sample.ndjson", folder=folder)
    assert told.err == "sample.ndjson: what follows the first 2 messages is left out\n"
    assert "orders: 2 messages: " in told.out

    monkeypatch.setattr(samples, "MAX_BYTES", 30)
    told = hopper("try", "orders.yaml", "sample.ndjson", folder=folder)
    assert told.err == "sample.ndjson: what follows the first 1 message is left out\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["orders.yaml"], "", "name a pipeline and a sample: hopper try pipeline.yaml sample.ndj"),
        (["-", "-"], "", "only one of FILE and SAMPLE may be -, standard input"),
        (["orders.yaml", "nowhere"], "", "nowhere: cannot be read: No such file or directory"),
        (["orders.yaml", "-"], "\n", "<stdin>: has no message: write one on each line"),
        (["orders.yaml", "-"], '{"body": 1, "at": 5}', "<stdin>:1:1: at: write the unit: 5s"),
        (
            ["orders.yaml", "-"],
            '{"body": 1, "at": "5s"}\n{"body": 1, "at": "1s"}',
            "<stdin>:2:1: at: is before the line above it",
        ),
        (
            ["orders.yaml", "-"],
            '{"body": 1, "properties": {"id": "a"}}',
            "<stdin>:1:1: properties.id: unknown key; write message_id",
        ),
        (["sample.ndjson", "-"], "", "error: sample.ndjson:"),
        (
            ["orders.yaml", "sample.ndjson", "--for", "1s"],
            "",
            "--for 1s ends before the last message, at 5s",
        ),
        (["orders.yaml", "-", "--from-queue", "5"], "", "--from-queue takes the place of SAMPLE"),
        (
            ["orders.yaml", "--from-queue", "5"],
            "",
            "orders.yaml: source.rabbitmq.url: BROKER has no value: set it, or name a file of",
        ),
        (["memory.yaml", "--from-queue", "5"], "", "the source of the pipeline is not RabbitMQ"),
    ],
)
def test_a_mistake_is_told_with_a_remedy(
    folder: Path, arguments: list[str], stdin: str, words: str
) -> None:
    memory = PIPELINE.replace('{rabbitmq: {url: "${BROKER}", queue: orders}}', "{memory: {}}")
    (folder / "memory.yaml").write_text(memory)

    told = hopper("try", *arguments, folder=folder, stdin=stdin)

    assert (told.code, told.out) == (2, "")
    assert words in told.err
    assert "Traceback" not in told.err
