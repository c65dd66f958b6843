from __future__ import annotations

from connectors.elasticsearch.setup.difference import (
    ValueDifference,
    differences,
    template_differences,
)


def test_each_value_that_differs_is_one_line() -> None:
    old = {"a": {"b": 1, "c": [1]}, "d": {}}
    new = {"a": {"b": 2, "c": [1]}, "e": True}

    assert differences(old, new) == [
        ValueDifference("a.b", 1, 2),
        ValueDifference("d", {}, None),
        ValueDifference("e", None, True),
    ]


BODY = {
    "index_patterns": ["orders"],
    "priority": 200,
    "data_stream": {},
    "template": {
        "mappings": {"properties": {"n": {"type": "long", "index": True}}},
        "settings": {"number_of_replicas": 0, "index.hidden": False, "index": {"codec": "best"}},
        "lifecycle": {},
    },
}
STORED = {
    "index_patterns": ["orders"],
    "priority": 200,
    "composed_of": [],
    "data_stream": {"hidden": False, "allow_custom_routing": False},
    "created_date_millis": 1,
    "modified_date_millis": 1,
    "template": {
        "mappings": {"properties": {"n": {"type": "long", "index": True}}},
        "settings": {"index": {"number_of_replicas": "0", "hidden": "false", "codec": "best"}},
        "lifecycle": {"enabled": True},
        "aliases": {},
    },
}


def test_a_template_is_compared_without_what_elasticsearch_adds() -> None:
    assert template_differences(STORED, BODY) == []


def test_a_template_that_has_more_differs() -> None:
    """Since the request replaces it."""
    found = template_differences({**STORED, "composed_of": ["x"], "priority": 100}, BODY)

    assert found == [
        ValueDifference("composed_of", ["x"], None),
        ValueDifference("priority", 100, 200),
    ]
