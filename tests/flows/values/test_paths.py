"""Paths in a message: how they are written, and which value each finds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.elasticsearch.template import lookup
from connectors.message import Properties
from flows.messages.formats import decoder
from flows.values.group import ABSENT
from flows.values.paths import DOCUMENT, ENVELOPE, HEADERS, Path, fields_of, parse, reader

PROPERTIES = Properties(
    exchange="shop",
    routing_key="orders.new",
    headers={"x-order": 7, "x.y": "dotted", "void": None},
    correlation_id="c-1",
    priority=0,
)


def get(path: str | Path, document: dict[str, Any] | None = None) -> Any:
    path = parse(path) if isinstance(path, str) else path
    return path.getter()(document or {}, PROPERTIES, "tasks")


@pytest.mark.parametrize(
    ("path", "document", "value"),
    [
        ("id", {"id": "x"}, "x"),
        ("order.id", {"order": {"id": 1}}, 1),
        ("order.id", {"order.id": 2}, 2),
        ("order.id", {"order": {"id": 1}, "order.id": 2}, 1),
        ("order.id", {"order": {}, "order.id": 2}, 2),
        ("order.id", {"order": "text", "order.id": 2}, 2),
        ("a.b.c", {"a": {"b": {"c": False}}}, False),
        ("a.b.c", {"a.b.c": 0}, 0),
        ("@timestamp", {"@timestamp": "2026"}, "2026"),
        ("first name", {"first name": "A"}, "A"),
        ("/order/id", {"order": {"id": 1}}, 1),
        ("/a.b/0", {"a.b": ["x", "y"]}, "x"),
        ("/a/1/q", {"a": [{}, {"q": 5}]}, 5),
        ("/a/0", {"a": {"0": "by name"}}, "by name"),
        ("/a~1b/c~0d", {"a/b": {"c~d": 3}}, 3),
        ("body.header.x", {"header": {"x": 4}}, 4),
        ("body.queue", {"queue": 5}, 5),
        ("headers.x", {"headers": {"x": 6}}, 6),
        ("header", {"header": 7}, 7),
    ],
)
def test_a_path_leads_into_the_document(path: str, document: dict[str, Any], value: object) -> None:
    assert get(path, document) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("header.x-order", 7),
        ("header.x.y", "dotted"),
        ("header.void", None),
        ("property.correlation_id", "c-1"),
        ("property.priority", 0),
        ("property.exchange", "shop"),
        ("routing_key", "orders.new"),
        ("exchange", "shop"),
        ("queue", "tasks"),
    ],
)
def test_a_path_leads_into_the_envelope(path: str, value: object) -> None:
    assert get(path) == value


def test_null_is_a_value() -> None:
    """It is there, unlike an absent value."""
    assert get("a.b", {"a": {"b": None}}) is None
    assert get("a", {"a": None}) is None


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("id", {}),
        ("order.id", {"order": {}}),
        ("order.id", {"order": [{"id": 1}]}),
        ("order.id", {"order": None}),
        ("a.0", {"a": ["x"]}),
        ("a.b.c", {"a": {"b": "text"}}),
        ("/a/2", {"a": [1, 2]}),
        ("/a/01", {"a": [1, 2]}),
        ("/a/x", {"a": [1, 2]}),
        ("/a/b", {"a": "text"}),
        ("/order/id", {"order.id": 1}),
        ("header.y", {"header": {"y": 1}}),
        ("property.message_id", {}),
    ],
)
def test_an_absent_value_is_found_nowhere(path: str, document: dict[str, Any]) -> None:
    assert get(path, document) is ABSENT


def test_without_headers_no_header_is_found() -> None:
    assert parse("header.x").getter()({}, Properties(), "tasks") is ABSENT
    assert HEADERS.getter()({}, Properties(), "tasks") == {}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (b"abc\xff", "abc\\xff"),
        (Decimal("1.50"), 1.5),
        (Decimal(7), 7),
        (float("nan"), None),
        (float("inf"), None),
        ({"t": b"x"}, {"t": "x"}),
        ([b"x", 1], ["x", 1]),
    ],
)
def test_headers_have_the_types_of_json(header: object, value: object) -> None:
    """Later steps need not know the other types of AMQP."""
    properties = Properties(headers={"x": header})

    assert parse("header.x").getter()({}, properties, "") == value
    assert HEADERS.getter()({}, properties, "") == {"x": value}


def test_a_path_may_be_the_whole_document() -> None:
    assert get(DOCUMENT, {"a": 1}) == {"a": 1}
    assert get(ENVELOPE) is PROPERTIES
    assert get(HEADERS) == PROPERTIES.headers


@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("order.id", "document"),
        ("/order/id", "document"),
        ("body.header.x", "document"),
        ("header.x", "properties"),
        ("property.type", "properties"),
        ("routing_key", "route"),
        ("exchange", "route"),
        ("queue", "route"),
    ],
)
def test_a_path_tells_which_parts_must_be_decoded(path: str, needs: str) -> None:
    assert parse(path).needs == needs


def test_several_paths_are_read_at_once() -> None:
    paths = [parse("a"), parse("queue"), parse("b")]

    assert reader(paths)({"b": 2}, PROPERTIES, "tasks") == (ABSENT, "tasks", 2)
    assert reader(paths[:1])({"a": 1}, PROPERTIES, "tasks") == (1,)
    assert reader([])({}, PROPERTIES, "tasks") == ()


@pytest.mark.parametrize("path", ["a", "a.b", "a.b.c"])
@pytest.mark.parametrize(
    "document", [{"a": "x"}, {"a": {"b": "x"}}, {"a": {"b": {"c": "x"}}}, {"a.b": "x"}, {"a": 1}]
)
def test_a_field_is_found_like_in_index_templates(path: str, document: dict[str, Any]) -> None:
    found = get(path, document)

    assert (str(found) if isinstance(found, (str, int)) else None) == lookup(document, path)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("", "order.id"),
        (" a", "without spaces"),
        ("a ", "without spaces"),
        (".a", "write a.b"),
        ("a.", "write a.b"),
        ("a..b", "write a.b"),
        ("body.", "write a.b"),
        ("header.", "write a.b"),
        ("property.", "write a.b"),
        ("property.corelation_id", "did you mean correlation_id?"),
        ("property.headers", "there is no property.headers"),
        ("property.size", "message_id"),
        ("/", "/a.b/0"),
        ("/a//b", "/a.b/0"),
        ("/a/-", "/a.b/0"),
        ("/a~2", "/a.b/0"),
        ("/a~", "/a.b/0"),
    ],
)
def test_an_invalid_path_is_refused_with_a_remedy(path: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse(path)


def test_present_and_absent_fields_are_read_together() -> None:
    """All, some or none present: each value is what its own getter finds."""
    read = reader([parse(text) for text in ("a", "/b", "c")])
    assert read({"c": 3, "a": 1, "b": None}, PROPERTIES, "tasks") == (1, None, 3)
    assert read({"b": 2}, PROPERTIES, "tasks") == (ABSENT, 2, ABSENT)
    assert read({}, PROPERTIES, "tasks") == (ABSENT, ABSENT, ABSENT)


def test_a_path_tells_which_fields_of_a_document_it_needs() -> None:
    """Its first name, and the field that has the whole path as its name."""
    assert fields_of([]) == frozenset()
    assert fields_of([parse("header.x"), parse("queue")]) == frozenset()
    found = fields_of([parse("a.b"), parse("/c.d/0"), parse("body.queue")])
    assert found == frozenset(("a", "a.b", "c.d", "queue"))
    assert fields_of([parse("a"), DOCUMENT]) is None


NAMES = st.sampled_from(["a", "b", "a.b", "b.a", "0", "a.b.0"])
DOCUMENTS = st.recursive(
    st.integers() | st.none() | st.just("é"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(st.dictionaries(NAMES, DOCUMENTS), st.sampled_from(["a", "a.b", "b.a.b", "/a.b/0", "/a/b"]))
def test_a_path_finds_the_same_when_no_other_field_is_read(
    document: dict[str, Any], text: str
) -> None:
    path = parse(text)
    partial = decoder(fields_of([path]))(msgspec.json.encode(document))
    assert get(path, partial) == get(path, document)
