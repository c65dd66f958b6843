from __future__ import annotations

import pytest

from connectors.elasticsearch.setup.wanted import pattern
from tests.connectors.elasticsearch.setup.wanting import wants


def test_an_index_has_a_template_of_its_name() -> None:
    found = wants({"mapping": {"properties": {}}, "settings": {"number_of_shards": 3}})

    assert (found.kind, found.index, found.template) == ("index", "orders", "orders")
    assert found.body == {
        "index_patterns": ["orders"],
        "priority": 200,
        "template": {"mappings": {"properties": {}}, "settings": {"number_of_shards": 3}},
    }


def test_a_data_stream_has_a_lifecycle() -> None:
    found = wants({"data_stream": {"retention": "720h"}, "template": "mine"}, action="create")

    assert (found.kind, found.template, found.retention) == ("data stream", "mine", "30d")
    assert found.body["data_stream"] == {}
    assert found.body["template"] == {"lifecycle": {"data_retention": "30d"}}


def test_the_template_of_an_alias_is_for_the_indices_after_a_rollover_too() -> None:
    assert wants({"first_index": "orders-000001"}).body["index_patterns"] == ["orders-*"]
    assert wants({"first_index": "orders-first"}).body["index_patterns"] == ["orders-first"]


def test_several_indices_have_a_pattern_and_the_fallback() -> None:
    found = wants({"aliases": "all-orders"}, "orders-{a}{b}-{@timestamp:%Y}", index_fallback="rest")

    assert (found.kind, found.index) == ("indices", "orders-*-*")
    assert found.body["index_patterns"] == ["orders-*-*", "rest"]
    assert found.body["template"] == {"aliases": {"all-orders": {}}}


@pytest.mark.parametrize(
    ("index", "of_it"), [("a", "a"), ("a-{b}", "a-*"), ("a-{b}{c}", "a-*"), ("a-{b}-c", "a-*-c")]
)
def test_a_pattern_has_a_star_for_each_value(index: str, of_it: str) -> None:
    assert pattern(index) == of_it
