from __future__ import annotations

from typing import Any

from flows.plan.changed_keys import all_keys, changed_keys, shown
from flows.spec import Pipeline
from tests.flows.plan.pipelines import pipeline


def changed(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    found = changed_keys(pipeline(**(old or {})), pipeline(**new))
    return [".".join(one.path) for one in found]


def test_equal_specs_have_no_changed_key() -> None:
    assert changed({}) == []


def test_a_default_that_is_written_is_no_change() -> None:
    assert changed({"source.rabbitmq.prefetch": "auto", "drain_timeout": "30s"}) == []


def test_each_key_is_named_by_its_path() -> None:
    found = changed({"source.rabbitmq.prefetch": 5, "aggregate.window.time": "2s", "name": "b"})

    assert found == ["name", "source.rabbitmq.prefetch", "aggregate.window.time"]


def test_a_mapping_that_is_new_is_one_key() -> None:
    assert changed({"metrics": {"port": 1}}) == ["metrics"]
    assert changed({"aggregate.window.tumbling": {"every": "1m"}}) == ["aggregate.window.tumbling"]


def test_a_value_with_names_of_the_user_is_one_key() -> None:
    old = {"aggregate.reduce": {"n": "count"}}
    assert changed({"aggregate.reduce": {"n": {"sum": "a"}}}, old) == ["aggregate.reduce"]


def test_a_changed_default_counts_by_its_effect() -> None:
    """`on_stop` is another with `by`."""
    assert changed({"aggregate.by": "k"}) == ["aggregate.by", "aggregate.on_stop"]


def test_every_changed_key_is_among_all_keys() -> None:
    keys = set(all_keys(Pipeline))

    assert ("aggregate", "window", "tumbling", "every") in keys
    assert ("dead_letter", "rabbitmq", "routing_key") in keys
    assert ("metrics",) in keys
    assert ("metrics", "port") not in keys


def test_no_secret_is_shown() -> None:
    spec = pipeline(**{"sink.elasticsearch.api_key": "c2VjcmV0"})
    assert spec.sink.elasticsearch
    assert spec.source.rabbitmq

    assert shown(spec.sink.elasticsearch)["api_key"] == "(secret)"
    assert shown(spec.source.rabbitmq.url) == ["amqp://guest:***@broker/"]


def test_durations_are_shown_as_they_are_written() -> None:
    assert shown(300.0) == "5m"
