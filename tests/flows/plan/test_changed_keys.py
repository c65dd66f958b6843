from __future__ import annotations

from typing import Any

from flows.plan.changed_keys import all_keys, changed_keys, shown
from flows.plan.plan import plan
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


def values(new: dict[str, Any], old: dict[str, Any]) -> tuple[Any, Any]:
    [change] = plan(pipeline(**old), pipeline(**new)).changes
    return change.old, change.new


def test_durations_and_sizes_are_shown_as_they_are_written() -> None:
    memory = {"source.rabbitmq.memory": "16MiB"}
    assert values(memory, {}) == ("64MiB", "16MiB")
    assert values({"aggregate.window.time": "5m"}, {}) == ("1s", "5m")


def test_a_number_without_a_unit_is_shown_as_it_is() -> None:
    old = {"aggregate.by": "k", "aggregate.reduce": {"n": {"quantile": "a", "q": 0.5}}}
    new = old | {"aggregate.reduce": {"n": {"quantile": "a", "q": 1.0}}}

    assert [one["n"]["q"] for one in values(new, old)] == [0.5, 1.0]


def test_a_mapping_is_shown_with_the_keys_that_a_file_gives() -> None:
    bulk, by = "sink.elasticsearch.bulk", {"aggregate.by": "k"}
    assert values({bulk: {"compress": "gzip"}}, {}) == ({}, {"compress": "gzip"})
    assert values({bulk: {"max_bytes": "5MiB"}}, {}) == (
        {"max_bytes": "10MiB"},
        {"max_bytes": "5MiB"},
    )
    old = by | {"aggregate.reduce": {"t": {"concat": "a"}, "n": "count"}}
    new = by | {"aggregate.reduce": {"t": {"concat": "a", "separator": ","}}}
    assert values(new, old) == (
        {"t": {"concat": "a", "separator": ""}, "n": "count"},
        {"t": {"concat": "a", "separator": ","}},
    )
    assert values(by | {"aggregate.reduce": {"n": "count"}}, old)[0]["t"] == {"concat": "a"}
