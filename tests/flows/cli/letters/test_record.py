"""A dead letter as a line of JSON."""

from __future__ import annotations

import json

from flows.cli.letters.record import line
from tests.flows.cli.letters.dead_letters import letter


def test_a_line_has_all_that_is_needed_to_publish_it_again() -> None:
    told = json.loads(line(letter("bad", 0, {"tenant": "a", "nested": {"a": [1]}}, b"\xff")))

    assert (told["body_base64"], "body" in told) == ("/w==", False)
    assert told["headers"] == {"tenant": "a", "nested": {"a": [1]}}
    assert told["properties"]["message_id"] == "a"
    assert told["reason"] == "bad"
    assert json.loads(line(letter("bad", 0, body=b'{"a":1}')))["body"] == '{"a":1}'
