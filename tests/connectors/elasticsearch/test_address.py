"""The index and the `_id` of a document."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.spec import DocumentId, ElasticsearchSink
from connectors.message import Properties, Rejection


def addressing(**spec: Any) -> ElasticsearchAddressing:
    spec.setdefault("index", "events")
    return ElasticsearchAddressing(ElasticsearchSink(url=("http://localhost:9200",), **spec))


def address(
    some: ElasticsearchAddressing,
    document: dict[str, Any] | None = None,
    properties: Properties | None = None,
    body: bytes = b"{}",
) -> tuple[str | None, str | None] | Rejection:
    return some.address(document, properties, body, 0.0)


def test_values_that_all_documents_share_are_not_repeated() -> None:
    some = addressing()

    assert some.index == "events"
    assert not some.fields
    assert address(some, properties=Properties()) == (None, None)


def test_auto_takes_the_message_id_if_there_is_one() -> None:
    some = addressing()

    assert some.needs_properties
    assert address(some, properties=Properties(message_id="m-1")) == (None, "m-1")
    assert address(some, properties=Properties(message_id="")) == (None, None)


def test_a_field_can_be_the_id() -> None:
    some = addressing(id=DocumentId(field="order.id"))

    assert (set(some.fields), some.needs_properties) == ({"order", "order.id"}, False)
    assert address(some, {"order": {"id": "o-1"}}) == (None, "o-1")
    assert address(some, {"order": {"id": 12345678901234567890}}) == (None, "12345678901234567890")
    assert address(some, {"order": {"id": 0.1}}) == (None, "0.1")


@pytest.mark.parametrize("order", [{"order": {"id": 1, "a": 2}}, {"order.id": 1}, {"order": 2}, {}])
@pytest.mark.parametrize("where", [{"of": {"tenant": "x"}}, {"of.tenant": "x"}, {}])
def test_the_address_needs_only_its_own_fields(
    order: dict[str, object], where: dict[str, object]
) -> None:
    some = addressing(index="e-{of.tenant}-{@timestamp:%Y}", id=DocumentId(field="order.id"))
    document = {**order, **where, "@timestamp": "2026-01-31", "tenant": "y", "id": "z"}

    known = {name: value for name, value in document.items() if name in some.fields}
    assert set(known) < set(document)
    assert address(some, known) == address(some, document)


@pytest.mark.parametrize("order", [None, {}, {"id": None}, {"id": ""}, {"id": True}, {"id": [1]}])
def test_a_document_without_its_id_field_is_rejected(order: object) -> None:
    """Elasticsearch would make another `_id` at each attempt."""
    rejection = address(addressing(id=DocumentId(field="order.id")), {"order": order})

    assert isinstance(rejection, Rejection)
    assert rejection.reason.startswith("missing_id: ")
    assert "order.id" in rejection.reason


def test_equal_bodies_have_equal_hashes() -> None:
    some = addressing(id=DocumentId(hash="body"))

    assert not some.fields
    assert not some.needs_properties
    first, again, other = (address(some, body=body) for body in (b"a", b"a", b"b"))
    assert first == again != other
    assert first == (None, "27c35e6e9373877f29e562464e46497e")


@pytest.mark.parametrize("name", ["x" * 512, "ü" * 256, "🐰" * 128])
def test_an_id_has_at_most_512_bytes(name: str) -> None:
    """With a longer one, Elasticsearch refuses the whole request."""
    some = addressing()

    assert address(some, properties=Properties(message_id=name)) == (None, name)
    rejection = address(some, properties=Properties(message_id=name + "x"))
    assert isinstance(rejection, Rejection)
    assert rejection.reason.startswith("long_id: ")


def test_a_template_names_an_index_for_each_document() -> None:
    some = addressing(index="events-{tenant}")

    assert some.index is None
    assert some.fields == {"tenant"}
    assert address(some, {"tenant": "a"}, Properties(message_id="1")) == ("events-a", "1")


def test_a_document_that_names_no_index_goes_to_the_fallback() -> None:
    some = addressing(index="events-{tenant}", index_fallback="events-other")

    assert address(some, {}, Properties()) == ("events-other", None)
    assert address(some, {"tenant": "A/B"}, Properties()) == ("events-other", None)


def test_without_a_fallback_it_is_rejected() -> None:
    rejection = address(addressing(index="events-{tenant}"), {}, Properties())

    assert rejection == Rejection("no_index: no text or number in tenant")


def test_with_id_none_no_document_has_an_id() -> None:
    """Not even a document whose message has an id."""
    some = addressing(id="none")

    assert address(some, properties=Properties(message_id="m-1")) == (None, None)
    assert not some.needs_properties
