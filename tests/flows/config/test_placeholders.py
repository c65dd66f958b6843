"""Placeholders for `${…}` without a value, and reports about files that have some."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from flows.config.placeholders import examine_file
from flows.config.problems import line, path_text
from flows.spec import Pipeline
from tests.flows.broken_specs import BROKEN

WHOLE = """
version: 1
name: a
source:
  rabbitmq: {url: amqp://localhost, queue: orders}
aggregate:
  window: {count: 10, time: 1s}
sink:
  elasticsearch: {url: http://localhost, index: orders}
dead_letter:
  rabbitmq: {routing_key: parked}
"""


def problems(text: str) -> list[str]:
    examined = examine_file(Pipeline, text.encode(), {})
    return [f"{path_text(one.path)}: {one.text}" for one in examined.problems]


def with_value(path: str, value: str) -> str:
    """The whole file, with this value at a path."""
    whole = yaml.safe_load(WHOLE)
    *above, key = path.split(".")
    mapping = whole
    for name in above:
        mapping = mapping.setdefault(name, {})
    mapping[key] = value
    return yaml.safe_dump(whole)


@pytest.mark.parametrize(
    "path",
    [
        *("version", "name", "drain_timeout", "metrics.port", "dead_letter.rabbitmq.url"),
        *("source.rabbitmq.url", "source.rabbitmq.queue", "source.rabbitmq.prefetch"),
        *("source.rabbitmq.consumers", "source.rabbitmq.format", "source.rabbitmq.max_message"),
        *("aggregate.by", "aggregate.window.count", "aggregate.window.bytes"),
        *("aggregate.window.time", "aggregate.window.idle", "aggregate.window.until"),
        *("sink.elasticsearch.url", "sink.elasticsearch.index", "sink.elasticsearch.api_key"),
        *("sink.elasticsearch.basic_auth", "sink.elasticsearch.ca_certs"),
        *("sink.elasticsearch.action", "sink.elasticsearch.upsert", "sink.elasticsearch.id.field"),
    ],
)
def test_a_value_of_any_type_may_be_missing(path: str) -> None:
    assert problems(with_value(path, "${NOT_SET}")) == []


@pytest.mark.parametrize(
    "value", ["orders-${NOT_SET}", "${A}-${B}", "${file:/nowhere/at.all}", "${A}${B}"]
)
def test_a_part_of_a_value_may_be_missing(value: str) -> None:
    assert problems(with_value("sink.elasticsearch.index", value)) == []


def test_two_variables_are_two_values() -> None:
    """So a queue is not taken for the queue of its dead letters."""
    text = with_value("source.rabbitmq.queue", "${QUEUE}")
    assert problems(text.replace("parked", "${PARKED}")) == []


def test_an_unknown_key_is_reported_in_any_case() -> None:
    text = with_value("source.rabbitmq.prefech", "${NOT_SET}")
    assert problems(text) == ["source.rabbitmq.prefech: unknown key; did you mean `prefetch`?"]


def test_a_quoted_value_is_a_text() -> None:
    """For the job too: it is no number, and no mapping."""
    text = with_value("aggregate.window.count", "${NOT_SET}").replace("${NOT_SET}", '"${NOT_SET}"')
    assert problems(text) == ["aggregate.window.count: must be a whole number"]

    of_mapping = problems(with_value("dead_letter.rabbitmq", "${NOT_SET}"))
    assert "must be a mapping: a key and a value on each line" in of_mapping[-1]


def test_missing_variables_are_named_once_and_in_order() -> None:
    text = with_value("source.rabbitmq.url", "amqp://${B}:${A}@${B}").replace("parked", "${A}")
    assert examine_file(Pipeline, text.encode(), {}).names == ["A", "B"]


@pytest.mark.parametrize("case", BROKEN, ids=[case["about"] for case in BROKEN])
def test_problems_are_those_of_the_job(case: dict[str, Any]) -> None:
    """Except those about variables and files without a value."""
    examined = examine_file(Pipeline, case["spec"].encode(), case.get("environment", {}))
    found = [line("", one).removeprefix(":") for one in examined.problems]
    wanted = case["problems"]
    if examined.unset:
        wanted = [one for one in wanted if "is not set" not in one and "cannot be read" not in one]
        assert set(wanted) <= set(found)
    else:
        assert found == wanted
