"""The generated reference and schema exist, are up to date, and are valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from connectors.spec import Spec
from flows.json_schema import schema
from flows.reference import SCHEMA, reference, stale
from flows.spec import Pipeline
from tests.flows.aggregate_specs import WHOLE

TOP = Path(__file__).parents[2]


def models(model: type[Spec]) -> Iterator[type[Spec]]:
    """Every model that a pipeline is made of."""
    yield model
    for key in model.model_fields:
        inner = model.mapping_at(key)
        if inner:
            yield from models(inner)


def errors(spec: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema()).iter_errors(spec)]


def test_the_generated_files_are_up_to_date() -> None:
    """To update them: `python -m flows.reference --write`."""
    assert stale() == []


def test_every_key_is_explained() -> None:
    bare = [
        f"{model.__name__}.{key}"
        for model in models(Pipeline)
        for key in model.model_fields
        if not model.described().get(key, "").rstrip().endswith(".")
    ]
    assert bare == []


def test_every_key_is_in_the_reference() -> None:
    text = reference()
    for model in models(Pipeline):
        for key in model.model_fields:
            assert f"| `{key}` |" in text


def test_a_mapping_with_names_of_the_user_has_a_section_for_its_values() -> None:
    text = reference()

    assert "## `aggregate.reduce.<name>`" in text
    assert "| `quantile` | path |" in text
    assert "| `q` | 0 to 1 |" in text
    assert "| `reduce` | mapping or function |" in text
    assert "| `by` | path or list of paths |" in text


def test_the_tables_of_the_reference_have_four_columns() -> None:
    for line in reference().splitlines():
        if line.startswith("|"):
            assert line.count("|") == 5, line


def test_defaults_are_written_with_their_units() -> None:
    text = reference()

    assert "| `drain_timeout` | duration | `30s` |" in text
    assert "| `max_bytes` | size | `10MiB` |" in text
    assert '| `routing_key` | text | `""` |' in text
    assert "| `consumers` | `auto` or 1 to 1000 | `auto` |" in text


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_an_editor_finds_the_schema_and_no_error_in_the_pipeline() -> None:
    text = (TOP / "pipeline.yaml").read_text()

    assert text.startswith("# yaml-language-server: $schema=flows/pipeline.schema.json\n")
    assert (TOP / "flows/pipeline.schema.json").samefile(SCHEMA)
    assert errors(yaml.safe_load(text)) == []


@pytest.fixture
def spec() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "a",
        "source": {"rabbitmq": {"url": ["amqp://h"], "queue": "q"}},
        "aggregate": {"window": {"time": "1s"}},
        "sink": {"elasticsearch": {"url": "http://h", "index": "a", "id": {"field": "a"}}},
    }


def test_an_editor_accepts_substitution_everywhere(spec: dict[str, Any]) -> None:
    spec["version"] = spec["name"] = spec["drain_timeout"] = "${A}"
    spec["metrics"] = {"port": "${PORT:-9100}", "host": "${A}"}
    spec["source"]["rabbitmq"] |= {
        "consumers": "${A}",
        "prefetch": "${A:-4000}",
        "format": "${A}",
        "declare": {"durable": "${A}"},
    }
    spec["aggregate"] = {
        "by": "${A}",
        "missing_key": "${A}",
        "window": {
            **dict.fromkeys(("count", "bytes", "idle", "last", "first", "until", "size"), "${A}"),
            "time": "${A}s",
            "tumbling": {"every": "${A}", "event_time": "${A}", "lateness": "${A}"},
        },
        **dict.fromkeys(("incomplete", "on_stop", "late", "remember", "amend_for"), "${A}"),
        "max_groups": "${A}",
        "reduce": {
            "a": {"quantile": "${A}", "q": "${A}"},
            "b": {"concat": "a", "separator": "${A}"},
        },
    }
    spec["sink"]["elasticsearch"] |= {"action": "${A}", "id": "${A}", "bulk": {"max_bytes": "${A}"}}

    assert errors(spec) == []


def test_an_editor_marks_mistakes(spec: dict[str, Any]) -> None:
    spec["source"]["rabbitmq"] |= {"prefetch": 0, "prefech": 1, "declare": "active"}
    spec["aggregate"] = {
        "by": [],
        "missing_key": "drop",
        "window": {"count": "many", "bytes": "5M", "time": 5, "last": True},
        "reduce": {"a": {"summ": "b"}},
        "summary": {"key": 1},
    }
    del spec["sink"]["elasticsearch"]["index"]

    assert sorted(errors(spec)) == [
        "$.aggregate.by",
        "$.aggregate.missing_key",
        "$.aggregate.reduce",
        "$.aggregate.summary.key",
        "$.aggregate.window.bytes",
        "$.aggregate.window.count",
        "$.aggregate.window.last",
        "$.aggregate.window.time",
        "$.sink.elasticsearch",
        "$.source.rabbitmq",
        "$.source.rabbitmq.declare",
        "$.source.rabbitmq.prefetch",
    ]


def test_an_editor_finds_no_error_in_a_complete_aggregate(spec: dict[str, Any]) -> None:
    spec["aggregate"] = yaml.safe_load(WHOLE)

    assert errors(spec) == []


@pytest.mark.parametrize("path", ["aggregate.window", "source", "sink"])
def test_an_editor_marks_a_mapping_that_needs_a_key(spec: dict[str, Any], path: str) -> None:
    *above, key = path.split(".")
    parent = spec
    for name in above:
        parent = parent[name]
    parent[key] = {}

    assert errors(spec) == [f"$.{path}"]
