from __future__ import annotations

from typing import Any

from connectors.elasticsearch.setup.mapping import compare


def fields(**of: Any) -> dict[str, Any]:
    return {"properties": of}


LONG, TEXT, KEYWORD = {"type": "long"}, {"type": "text"}, {"type": "keyword"}


def test_what_only_the_index_has_is_no_difference() -> None:
    assert compare({**fields(a=LONG, b=TEXT), "dynamic": "true"}, fields(a=LONG)) == ({}, [], [])


def test_only_new_fields_are_sent() -> None:
    found = compare(fields(a=LONG, o=fields(x=TEXT)), fields(a=LONG, b=TEXT, o=fields(y=LONG)))

    assert found.body == fields(b=TEXT, o=fields(y=LONG))
    assert [one.path for one in found.changes] == ["properties.b", "properties.o.properties.y"]
    assert found.conflicts == []


def test_another_type_is_a_conflict() -> None:
    """Also of a field in an object, or of an object that was a value."""
    found = compare(
        fields(a=LONG, o=fields(x=TEXT), p=KEYWORD),
        fields(a=KEYWORD, o=fields(x=LONG), p=fields(y=LONG)),
    )

    assert (found.body, found.changes) == ({}, [])
    assert [(one.path, one.old, one.new) for one in found.conflicts] == [
        ("properties.a.type", "long", "keyword"),
        ("properties.o.properties.x.type", "text", "long"),
        ("properties.p.type", "keyword", "object"),
    ]


def test_a_few_parameters_change_in_place() -> None:
    """The others of the field are sent with them, since a missing one gets its default."""
    found = compare(
        fields(a={**KEYWORD, "ignore_above": 9, "doc_values": False}),
        fields(a={**KEYWORD, "ignore_above": 5, "doc_values": False}),
    )

    assert found.body == fields(a={**KEYWORD, "ignore_above": 5, "doc_values": False})
    assert [(one.path, one.old, one.new) for one in found.changes] == [
        ("properties.a.ignore_above", 9, 5)
    ]


def test_the_default_of_a_parameter_is_restored() -> None:
    found = compare(fields(a={**KEYWORD, "ignore_above": 9}), fields(a=KEYWORD))

    assert found.body == fields(a=KEYWORD)


def test_other_parameters_are_a_conflict() -> None:
    """Those that the spec does not name stay."""
    found = compare(
        fields(a={**TEXT, "analyzer": "x"}, b={**LONG, "doc_values": False}),
        fields(a={**TEXT, "analyzer": "y", "store": True}, b=LONG),
    )

    assert found.body == {}
    assert [one.path for one in found.conflicts] == [
        "properties.a.analyzer",
        "properties.a.store",
    ]


def test_a_field_is_indexed_in_one_more_way() -> None:
    more = {**TEXT, "fields": {"raw": KEYWORD}}

    assert compare(fields(a=TEXT), fields(a=more)).body == fields(a=more)
    assert compare(fields(a=more), fields(a=TEXT)) == ({}, [], [])


def test_keys_of_the_whole_mapping_change_in_place_or_not() -> None:
    found = compare({"dynamic": "true"}, {"dynamic": "strict", "_routing": {"required": True}})

    assert found.body == {"dynamic": "strict"}
    assert [one.path for one in found.conflicts] == ["_routing"]
