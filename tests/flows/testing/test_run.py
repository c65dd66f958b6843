"""Every step does what it says, and every expectation is held against what comes."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from flows.spec import Pipeline
from flows.testing.expect_spec import Expectation
from flows.testing.run import run
from flows.testing.spec import PipelineTest

PIPELINE = Pipeline.model_validate(
    yaml.safe_load("""
version: 1
name: a
source: {rabbitmq: {url: "amqp://h", queue: q}}
aggregate: {window: {count: 3, time: 1m}}
sink: {elasticsearch: {url: "http://h", index: a, id: {field: n}}}
""")
)

THREE = "steps: [{body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]"

RIGHT = {
    "a document is throttled, and no other waits for it": """
steps: [{answer: {status: 429, item: 3}}, {body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]
expect:
  requests: [{at: 0, documents: 3}, {at: 100ms, lines: [{index: {_id: "3"}}, '{"n":3}']}]
  acknowledged: [{at: 0, messages: [1, 2]}, {at: 100ms, messages: [3]}]
""",
    "a request that is too large is halved": """
steps: [{answer: {status: 413}}, {body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]
expect:
  requests: [{documents: 3}, {documents: 1}, {documents: 2}]
  acknowledged: [{at: 0, messages: [1, 2, 3]}]
""",
    "a document that is refused is dead-lettered": """
steps: [{answer: {status: 400, item: 2}}, {body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]
expect:
  documents: [{id: "1"}, {id: "3"}]
  dead_letters: [{at: 0, messages: [2], reason: answered with 400, body: {n: 2}}]
  acknowledged: [{messages: [1, 3]}]
""",
    "an outage is waited for, and nothing is acknowledged early": """
steps: [{down: 10s}, {body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]
expect:
  requests: [{at: 0, documents: 3}, {at: 10s, documents: 3}]
  acknowledged: [{at: 10s, messages: [1, 2, 3]}]
""",
    "a lost connection redelivers what is open": """
steps: [{body: {n: 1}}, {at: 30s, lose_connection: true}, {at: 31s, body: {n: 2}}]
expect:
  groups: [{at: 90s, completed_by: time, messages: [1, 2], key: null}]
  acknowledged: [{at: 90s, messages: [1, 2]}]
""",
    "a crash loses nothing": """
steps: [{body: {n: 1}}, {at: 5s, crash: 10s}, {at: 6s, body: {n: 2}}]
expect:
  documents: [{at: 75s, index: a, id: "1", source: {n: 1}}, {at: 75s, contains: {n: 2}}]
  acknowledged: [{at: 75s, messages: [1, 2]}]
""",
    "a crash after the writing writes the same document again": """
steps:
  - {down: 5s}
  - {body: {n: 1}}
  - {body: {n: 2}}
  - {body: {n: 3}}
  - {at: 1s, crash: 0s}
expect:
  documents: [{id: "1"}, {id: "2"}, {id: "3"}, {at: 5s, id: "1"}, {id: "2"}, {id: "3"}]
  acknowledged: [{at: 5s, messages: [1, 2, 3]}]
""",
    "a stop writes what is open": """
steps: [{body: {n: 1}}, {at: 5s, stop: 10s}, {at: 6s, body: {n: 2}}]
expect:
  groups: [{at: 5s, completed_by: stop, messages: [1]}, {at: 75s, messages: [2]}]
  acknowledged: [{at: 5s, messages: [1]}, {at: 75s, messages: [2]}]
""",
    "a stop waits for Elasticsearch": """
steps: [{body: {n: 1}}, {down: 10s}, {stop: 0s}]
expect:
  acknowledged: [{at: 10s, messages: [1]}]
""",
    "a stop that takes longer than drain_timeout leaves its messages to the next process": """
steps: [{down: 60s}, {body: {n: 1}}, {at: 1s, stop: 0s}, {at: 40s, body: {n: 2}}]
expect:
  groups: [{at: 1s, completed_by: stop, messages: [1]}, {completed_by: time, messages: [1, 2]}]
  acknowledged: [{messages: [1, 2]}]
""",
    "a proxy that waits too long for Elasticsearch": """
steps: [{answer: {status: 504, times: 2}}, {body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}]
expect:
  requests: [{at: 0, documents: 3}, {at: 100ms, documents: 3}, {documents: 3}]
  acknowledged: [{messages: [1, 2, 3]}]
""",
    "a connection that is lost while a request has no answer": """
steps:
  - {down: 10s}
  - {body: {n: 1}}
  - {body: {n: 2}}
  - {body: {n: 3}}
  - {at: 5s, lose_connection: true}
expect:
  groups: [{at: 0, messages: [1, 2, 3]}, {at: 5s, messages: [1, 2, 3]}]
  acknowledged: [{at: 10s, messages: [1, 2, 3]}]
""",
    "a redelivered message is dead-lettered once": """
steps:
  - {answer: {status: 400, item: 1}}
  - {body: {n: 1}, redelivered: true, properties: {message_id: m1}}
  - {at: 1s, crash: 1s}
expect:
  documents: []
  dead_letters: [{messages: [1], reason: answered with 400}]
""",
    "a signal completes all groups": """
steps: [{body: {n: 1}}, {at: 5s, complete: true}]
expect: {acknowledged: [{at: 5s, messages: [1]}]}
""",
    "a body that cannot be read": """
steps: [{text: "{", properties: {content_type: application/json}}, {base64: eyJuIjoyfQ==}]
expect:
  documents: [{at: 1m, source: {n: 2}}]
  dead_letters: [{at: 0, messages: [1], text: "{", reason: unreadable}]
""",
    "what is still open at the end": """
steps: [{body: {n: 1}}]
until: 59s
expect: {documents: [], acknowledged: [], unacknowledged: [1]}
""",
}


def parsed(text: str) -> PipelineTest:
    return PipelineTest.model_validate({"name": "a", **yaml.safe_load(text)})


@pytest.mark.parametrize("name", RIGHT)
def test_a_test_that_is_right_passes(name: str) -> None:
    began = time.monotonic()

    assert run(PIPELINE, parsed(RIGHT[name])) == []
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("expect", "at", "expected", "actual"),
    [
        ({"documents": []}, ("documents",), "nothing", '{"at": "0ms", "index": "a", "id": "1"'),
        (
            {"documents": [{}, {}, {}, {"id": "4"}]},
            ("documents", 3),
            '{"id": "4"}',
            "nothing",
        ),
        ({"documents": [{"at": 1.0}, {}, {}]}, ("documents", 0, "at"), "1s", "0ms"),
        ({"documents": [{"id": "2"}, {}, {}]}, ("documents", 0, "id"), '"2"', '"1"'),
        (
            {"documents": [{"source": {"n": 2}}, {}, {}]},
            ("documents", 0, "source", "n"),
            "2",
            "1",
        ),
        ({"documents": [{"source": {"n": True}}, {}, {}]}, (..., "n"), "true", "1"),
        (
            {"documents": [{"source": {}}, {}, {}]},
            ("documents", 0, "source"),
            "no field n",
            "n: 1",
        ),
        (
            {"documents": [{"contains": {"m": {"k": 1}}}, {}, {}]},
            ("documents", 0, "contains", "m"),
            '{"k": 1}',
            "nothing",
        ),
        (
            {"groups": [{"completed_by": "time"}]},
            ("groups", 0, "completed_by"),
            '"time"',
            '"count"',
        ),
        ({"groups": [{"messages": [1]}]}, ("groups", 0, "messages"), "[1]", "[1, 2, 3]"),
        (
            {"requests": [{"lines": [{"index": {"_id": "2"}}]}]},
            ("requests", 0, "lines", 0),
            '{"index": {"_id": "2"}}',
            '{"index":{"_id":"1"}}',
        ),
        (
            {"requests": [{"lines": ["{}"] * 7}]},
            ("requests", 0, "lines", 6),
            "{}",
            "nothing",
        ),
        ({"requests": [{"path": "/b/_bulk"}]}, (..., "path"), '"/b/_bulk"', '"/a/_bulk"'),
        (
            {"dead_letters": [{"reason": "x"}]},
            ("dead_letters", 0),
            '{"reason": "x"}',
            "nothing",
        ),
        (
            {"acknowledged": [{"messages": [3, 1]}]},
            ("acknowledged", 0, "messages"),
            "[1, 3]",
            "[1, 2, 3]",
        ),
        ({"unacknowledged": [3]}, ("unacknowledged",), "[3]", "[]"),
    ],
    ids=str,
)
def test_a_difference_is_told(
    expect: dict[str, Any], at: tuple[Any, ...], expected: str, actual: str
) -> None:
    test = parsed(f"{THREE}\nexpect: {{}}")
    wanted = Expectation.model_validate(_durations(expect))
    found = run(PIPELINE, test.model_copy(update={"expect": wanted}))

    matching = [one for one in found if one.at == at or (at[0] is ... and one.at[-1] == at[-1])]
    assert [(one.expected, one.actual.startswith(actual)) for one in matching[:1]] == [
        (expected, True)
    ], found


@pytest.mark.parametrize(
    ("lines", "at", "expected", "actual"),
    [
        ("[{n: 1}, {n: 3, k: [4, 6]}]", (1, "k"), "[4, 6]", "[4, 5]"),
        ("[{n: 1}, {n: 3}]", (1,), "no field k", "k: [4, 5]"),
        ("[{n: 1}]", (), '[{"n": 1}]', '[{"n": 1}, {"n": 3, "k": [4, 5]}]'),
        ("[{n: 1}, 3]", (), '[{"n": 1}, 3]', '[{"n": 1}, {"n": 3, "k": [4, 5]}]'),
    ],
)
@pytest.mark.parametrize("key", ["source", "contains"])
def test_of_a_list_of_objects_the_item_that_differs_is_told(
    key: str, lines: str, at: tuple[Any, ...], expected: str, actual: str
) -> None:
    """Where both have as many."""
    expects = f"{{id: '1', {key}: {{n: 1, lines: {lines}}}}}"
    body = "{n: 1, lines: [{n: 1}, {n: 3, k: [4, 5]}]}"
    test = parsed(f"steps: [{{body: {body}}}]\nexpect: {{documents: [{expects}]}}")

    assert run(PIPELINE, test) == [(("documents", 0, key, "lines", *at), expected, actual)]


def _durations(expect: dict[str, Any]) -> dict[str, Any]:
    """Times as the file has them."""
    for several in expect.values():
        for one in several:
            if isinstance(one, dict) and "at" in one:
                one["at"] = f"{one['at']:g}s"
    return expect


def test_a_dead_letter_that_is_not_expected_is_a_difference() -> None:
    [found] = run(PIPELINE, parsed("steps: [{text: '1', headers: {a: 1}}]\nexpect: {}"))

    assert (found.at, found.expected) == (("dead_letters",), "nothing")
    assert '"reason": "missing_id: ' in found.actual


def test_nor_may_a_message_stay_open_unsaid() -> None:
    [found] = run(PIPELINE, parsed("steps: [{body: {n: 1}}]\nuntil: 1s\nexpect: {}"))

    assert found == (("unacknowledged",), "[]", "[1]")


def test_a_test_ends_when_nothing_is_left_to_do() -> None:
    """Also where a group stays open for ever, and where Elasticsearch refuses for ever."""
    pipeline = PIPELINE.model_copy(
        update={
            "aggregate": PIPELINE.aggregate.model_copy(
                update={"window": PIPELINE.aggregate.window.model_copy(update={"time": None})}
            )
        }
    )
    open_ = "steps: [{body: {n: 1}}]\nexpect: {unacknowledged: [1]}"
    refused = "steps: [{answer: {status: 503, times: 1000}}, {body: {n: 1}}]\nexpect: {}"

    assert run(pipeline, parsed(open_)) == []
    assert run(PIPELINE, parsed(refused)) == []
