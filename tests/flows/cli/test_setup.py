"""`hopper setup`, against prepared answers; tests/live has the real clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.connectors.elasticsearch.http_node import HttpNode, a_node
from tests.flows.cli.command import hopper, hopper_asked, json_of

SPEC = """
version: 1
name: orders
source: {{rabbitmq: {{url: "${{NOT_SET}}", queue: q}}}}
aggregate: {{window: {{time: 1s}}}}
sink:
  elasticsearch: {{url: {url}, index: orders}}
{setup}
"""
SETUP = "setup: {mapping: {properties: {n: {type: long}}}, aliases: all}"
NEW: list[tuple[int, Any]] = [
    (200, {"index_templates": []}),
    (200, {"template": {"mappings": {"properties": {"n": {"type": "long"}}}}}),
    (200, {"indices": [], "aliases": [], "data_streams": []}),
]


@pytest.fixture
def node() -> Iterator[HttpNode]:
    """A cluster without a template and an index."""
    with a_node() as node:
        node.answers = [(status, msgspec.json.encode(body)) for status, body in NEW]
        yield node


def spec(folder: Path, node: HttpNode, setup: str = SETUP) -> str:
    path = folder / "pipeline.yaml"
    path.write_text(SPEC.format(url=node.url, setup=setup))
    return str(path)


def test_a_dry_run_prints_a_diff(node: HttpNode, tmp_path: Path) -> None:
    """It needs no value for the source."""
    result = hopper("setup", "--dry-run", spec(tmp_path, node))

    assert (result.code, result.err) == (5, "")
    assert result.out == (
        f"Elasticsearch at {node.url} differs from the file:\n"
        "index template orders: to be created\n"
        '  + index_patterns: ["orders"]\n'
        "  + priority: 200\n"
        "  + template.aliases.all: {}\n"
        '  + template.mappings.properties.n.type: "long"\n'
        "index orders: to be created\n"
    )
    assert {method for method, *_ in node.requests} == {"GET", "POST"}


def test_the_changes_are_json_for_programs(node: HttpNode, tmp_path: Path) -> None:
    result = hopper("setup", "--yes", "--json", spec(tmp_path, node))

    assert result.code == 0
    made = json_of(result, "setup")
    assert [(one["what"], one["creates"]) for one in made["changes"]] == [
        ("index template", True),
        ("index", True),
    ]
    assert made["changes"][0]["differences"][1] == {"path": "priority", "old": None, "new": 200}
    assert [method for method, *_ in node.requests[3:]] == ["PUT", "PUT"]


def test_without_a_terminal_nothing_is_changed(node: HttpNode, tmp_path: Path) -> None:
    result = hopper("setup", spec(tmp_path, node))

    assert result.code == 2
    assert "there is no terminal for the question: --yes changes without it" in result.err
    assert node.requests == []


@pytest.mark.parametrize(("answer", "code", "writes"), [(b"n\n", 130, 0), (b"y\n", 0, 2)])
def test_it_asks_before_it_changes_anything(
    node: HttpNode, tmp_path: Path, answer: bytes, code: int, writes: int
) -> None:
    result = hopper_asked("setup", spec(tmp_path, node), typed=answer)

    assert result.code == code, result.err
    assert "Change Elasticsearch? [y/N]: " in result.err
    assert len(node.requests) == 3 + writes


def test_a_pipeline_without_setup_is_an_error(node: HttpNode, tmp_path: Path) -> None:
    for options in (["--dry-run"], []):  # not even a question, for which there is no terminal
        result = hopper("setup", *options, spec(tmp_path, node, setup=""))

        assert result.code == 2
        assert "pipeline.yaml: setup: is missing" in result.err
