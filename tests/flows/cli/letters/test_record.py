"""A dead letter as a line of JSON."""

from __future__ import annotations

import json

from flows.cli.letters.record import line
from tests.flows.cli.letters.dead_letters import letter


def test_a_line_has_everything_needed_to_publish_it_again() -> None:
    record = json.loads(line(letter("bad", 0, {"tenant": "a", "nested": {"a": [1]}}, b"\xff")))

    assert (record["body_base64"], "body" in record) == ("/w==", False)
    assert record["headers"] == {"tenant": "a", "nested": {"a": [1]}}
    assert record["properties"]["message_id"] == "a"
    assert record["reason"] == "bad"
    assert json.loads(line(letter("bad", 0, body=b'{"a":1}')))["body"] == '{"a":1}'
