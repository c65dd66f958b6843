"""Other notations, expressions and other roots are recognised, with the correct spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spelling import pointer, problem_of


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("{order}", "order"),
        ("{{ .order.id }}", "order.id"),
        ("${order}", "order"),
        ("%{[order][id]}", "order.id"),
        ("%{host}", "host"),
        ("[order][id]", "order.id"),
        ("<order>", "order"),
        ("'order'", "order"),
        ("$.order.id", "order.id"),
        ("$['order']['line no']", "order.line no"),
        ("$.lines[0].id", "/lines/0/id"),
        ("@.order", "order"),
        (".order.id", "order.id"),
        ("order[0]", "/order/0"),
        ('order["a/b"]', "/order/a~1b"),
        ("lines.0.id", "/lines/0/id"),
        ("order->id", "order.id"),
        ("order::id", "order.id"),
        ("order?.id", "order.id"),
        ("order/id", "order.id"),
        ("-seq", "seq"),
        ("seq desc", "seq"),
        ("order.seq ASC", "order.seq"),
        ("seq:desc", "seq"),
        ("doc['order'].value", "order"),
    ],
)
def test_a_path_in_another_notation_is_translated(text: str, translated: str) -> None:
    problem = problem_of(text)

    assert problem is not None
    assert f": write {translated}; " in problem
    assert problem.endswith(f"a field of exactly this name is written {pointer([text])}")


@pytest.mark.parametrize(
    ("text", "translated", "quoted"),
    [
        ("message.order", "order", "body.message.order"),
        ("message.header.x", "body.header.x", "body.message.header.x"),
        ("_source.order.id", "order.id", "body._source.order.id"),
        ("this.order", "order", "body.this.order"),
        ("ctx._source.order", "order", "body.ctx._source.order"),
        ("headers.x-order", "header.x-order", "body.headers.x-order"),
        ("properties.type", "property.type", "body.properties.type"),
        ("properties.headers.x", "header.x", "body.properties.headers.x"),
        ("routingKey", "routing_key", "body.routingKey"),
    ],
)
def test_a_root_with_another_name_is_translated(text: str, translated: str, quoted: str) -> None:
    problem = problem_of(text)

    assert problem is not None
    assert translated in problem
    assert quoted in problem
    assert problem_of(quoted) is None


def test_headers_are_not_among_the_properties() -> None:
    problem = "headers are not among the properties: write header.x"
    assert problem_of("property.headers.x") == problem


@pytest.mark.parametrize(
    "text",
    [
        *("a * b", "a*b", "a + b", "a - b", "a / b", "-a * 2", "sum(a)", "len(a) > 3", "a == 1"),
        *("a ? b : c", "a && b", "not a or b", "a as b", "'a' + 'b'", "price * 1.2", "a | lower"),
    ],
)
def test_a_path_computes_nothing(text: str) -> None:
    problem = problem_of(text)

    assert problem is not None
    assert "computes nothing" in problem
    assert "a function of your own" in problem


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("order, line", "several are a list"),
        ("*", "write count alone"),
        ("count(*)", "write count alone"),
        ("lines[*].id", "not all that are in an array"),
        ("lines.*.id", "not all that match a *"),
    ],
)
def test_a_path_names_one_field(text: str, remedy: str) -> None:
    assert remedy in str(problem_of(text))


@pytest.mark.parametrize(
    "text",
    [
        *("order.id", "message", "headers", "properties", "queue", "@timestamp", "@t", "$type"),
        *("_id.$oid", "event-type", "soap:Body", "first name", "data.id", "payload.after.id"),
        *("doc.id", "event.id", "header.a/b [0]", "header.x.0", "property.type", "body.headers.x"),
        *("#text", "a_b", "Größe", "/a * b", "/order[0]", "/{order}"),
    ],
)
def test_names_that_documents_have_are_accepted(text: str) -> None:
    assert problem_of(text) is None


@given(st.text())
def test_every_name_can_be_written(text: str) -> None:
    assert problem_of(pointer([text])) is None
    problem_of(text)
