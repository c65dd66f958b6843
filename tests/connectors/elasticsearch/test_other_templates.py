"""Templates and fields in the notation of other tools are translated."""

from __future__ import annotations

import re

import pytest

from connectors.elasticsearch.other_templates import refuse_other_notations
from connectors.elasticsearch.template import parse_template
from connectors.message import Properties
from connectors.spelling import field_path


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("x-%{+YYYY.MM.dd}", "x-{@timestamp:%Y.%m.%d}"),
        ("x-%{+xxxx.ww}", "x-{@timestamp:%G.%V}"),
        ("x-%{[host][name]}-%{+YYYY}", "x-{host.name}-{@timestamp:%Y}"),
        ("x-%{host}", "x-{host}"),
        ("x-{{ .host }}", "x-{host}"),
        ("x-${host}", "x-{host}"),
        ("<x-{now/d}>", "x-{@timestamp:%Y.%m.%d}"),
        ("<x-{now/M{yyyy.MM|+12:00}}>", "x-{@timestamp:%Y.%m}"),
        ("x-%Y.%m.%d", "x-{@timestamp:%Y.%m.%d}"),
        ("x-{+yyyy.MM}", "{@timestamp:%Y.%m}"),
        ("x-{yyyy-MM-dd}", "{@timestamp:%Y-%m-%d}"),
        ("x-{ tenant }", "{tenant}"),
        ("x-{$.tenant}", "tenant"),
        ("x-{/tenant/id}", "no JSON Pointer: write tenant.id"),
        ("x-{message.tenant}", "tenant, or body.message.tenant"),
        ("x-{headers.tenant}", "header.tenant, or body.headers.tenant"),
    ],
)
def test_a_template_of_another_tool_is_translated(text: str, translated: str) -> None:
    with pytest.raises(ValueError, match=re.escape(translated)):
        refuse_other_notations(text)


def test_a_field_named_like_a_root_of_another_tool_needs_body() -> None:
    text = "x-{body.message.tenant}-{body.headers.a}"
    refuse_other_notations(text)
    template = parse_template(text)
    document = {"message": {"tenant": "t"}, "headers": {"a": 1}}

    assert template.render(document, Properties(), 0.0) == "x-t-1"


@pytest.mark.parametrize(
    ("path", "translation"),
    [
        ("$.order.id", "write order.id"),
        ("/order/id", "no JSON Pointer: write order.id"),
        ("/order", "no JSON Pointer: write order"),
        ("order/id", "dots separate names: write order.id"),
        ("{order}", "write order"),
        ("message.order", "write order, or body.message.order"),
        ("header.x", "write body.header.x"),
        ("a + b", "computes nothing"),
    ],
)
def test_the_path_of_a_field_is_translated_too(path: str, translation: str) -> None:
    with pytest.raises(ValueError, match=re.escape(translation)):
        field_path(path)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("order.id", "order.id"),
        ("body.message.id", "message.id"),
        ("body.x", "body.x"),
        ("a.0", "a.0"),
    ],
)
def test_a_field_is_found_at_its_path(path: str, field: str) -> None:
    assert field_path(path) == field
