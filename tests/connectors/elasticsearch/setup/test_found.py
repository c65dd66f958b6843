from __future__ import annotations

from typing import Any

from connectors.elasticsearch.setup.found import rival_of, write_index


def test_a_template_of_at_least_the_same_priority_is_a_rival() -> None:
    templates: dict[str, dict[str, Any]] = {
        "mine": {"index_patterns": ["orders"], "priority": 200},
        "low": {"index_patterns": ["*"]},
        "same": {"index_patterns": ["x", "ord*"], "priority": 200},
        "other": {"index_patterns": ["events"], "priority": 900},
    }

    assert rival_of("mine", 200, "orders", templates) == ("same", 200)
    assert rival_of("mine", 201, "orders", templates) is None


def test_an_alias_writes_to_the_index_that_it_names_or_to_its_only_one() -> None:
    first = {"aliases": {"orders": {"is_write_index": True}}}
    second = {"aliases": {"orders": {"is_write_index": False}, "other": {"is_write_index": True}}}

    assert write_index("orders", {"a": first, "b": second}) == "a"
    assert write_index("orders", {"a": {"aliases": {"orders": {}}}}) == "a"
