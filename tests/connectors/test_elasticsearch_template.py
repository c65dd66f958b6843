"""Names of indices with places in them."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from connectors.elasticsearch.template import Missing, lookup, parse_template, problem_of_name
from connectors.message import Properties

ARRIVED = 1_767_225_599.9  # 2025-12-31T23:59:59.9Z


def render(
    template: str, document: dict[str, Any] | None = None, properties: Properties | None = None
) -> str | Missing:
    return parse_template(template).render(document or {}, properties or Properties(), ARRIVED)


@pytest.mark.parametrize(
    ("value", "text"),
    [("acme", "acme"), (7, "7"), (0, "0"), (1.5, "1.5"), (2**70, "1180591620717411303424")],
)
def test_texts_and_numbers_name_an_index(value: object, text: str) -> None:
    assert render("events-{tenant}", {"tenant": value}) == f"events-{text}"


@pytest.mark.parametrize("value", [None, "", True, ["a"], {"a": "b"}])
def test_nothing_else_does(value: object) -> None:
    assert isinstance(render("events-{tenant}", {"tenant": value}), Missing)
    assert isinstance(render("events-{tenant}", {}), Missing)


def test_a_path_leads_into_the_document() -> None:
    assert render("e-{a.b}-{c}", {"a": {"b": "x"}, "c": "y"}) == "e-x-y"
    assert lookup({"a.b": "x"}, "a.b") == "x"
    assert lookup({"a": "x"}, "a.b") is None


def test_headers_and_properties() -> None:
    properties = Properties(headers={"x.y": "h"}, app_id="shop", priority=3)

    assert render("e-{header.x.y}", properties=properties) == "e-h"
    assert render("e-{property.app_id}-{property.priority}", properties=properties) == "e-shop-3"
    assert isinstance(render("e-{header.z}"), Missing)
    assert isinstance(render("e-{property.app_id}"), Missing)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-01-31T23:30:00Z", "2026.01.31"),
        ("2026-01-31T23:30:00-01:00", "2026.02.01"),
        ("2026-02-01T00:30:00.123456789+02:00", "2026.01.31"),
        ("2026-01-31T23:30:00", "2026.01.31"),
        ("2026-01-31", "2026.01.31"),
        (1_769_902_200, "2026.01.31"),
        (1_769_902_200_000, "2026.01.31"),
        (1_769_902_200.5, "2026.01.31"),
        (-1, "1969.12.31"),
    ],
)
def test_dates_are_those_of_the_document_in_utc(value: object, day: str) -> None:
    properties = Properties(timestamp=1)

    assert render("e-{@timestamp:%Y.%m.%d}", {"@timestamp": value}, properties) == f"e-{day}"


def test_else_of_the_sending_else_of_the_arrival() -> None:
    template = "e-{@timestamp:%Y-%m-%d-%H}"

    assert render(template, properties=Properties(timestamp=7200)) == "e-1970-01-01-02"
    assert render(template, {"@timestamp": None}) == "e-2025-12-31-23"


@pytest.mark.parametrize(
    "value", ["yesterday", "", True, [1], "2026-13-01T00:00:00Z", 1e300, -1e15]
)
def test_a_date_that_is_none_is_not_replaced_by_another(value: object) -> None:
    name = render("e-{@timestamp:%Y}", {"@timestamp": value})

    assert isinstance(name, Missing)
    assert "@timestamp is no date" in name.reason


def test_weeks_have_a_year_of_their_own() -> None:
    assert render("e-{@timestamp:%G-w%V}", {"@timestamp": "2027-01-01T00:00:00Z"}) == "e-2026-w53"


@pytest.mark.parametrize(
    "value",
    ["ACME", "a b", "a/b", "a,b", "a*", "a#b", "a:b", "a\nb", "x" * 255, "ü" * 130, '"', "<a>"],
)
def test_a_document_cannot_name_what_elasticsearch_does_not_allow(value: str) -> None:
    name = render("events-{tenant}", {"tenant": value})

    assert isinstance(name, Missing)
    assert "names no index" in name.reason


@pytest.mark.parametrize("template", ["{tenant}", "logs-{tenant}", "{@timestamp:%Y}{tenant}"])
@pytest.mark.parametrize("value", [".security", "-x", "_all", "+x", ".", "..", "_bulk", -1])
def test_a_document_cannot_reach_what_its_template_does_not_mean(
    template: str, value: object
) -> None:
    name = render(template, {"tenant": value})

    assert isinstance(name, Missing)
    assert "begins with one of" in name.reason


@pytest.mark.parametrize("value", ["a\u2028b", "a\x7fb", "\ud83d", "\xa0", "\u200bx", "\u202ex"])
def test_a_name_can_be_seen(value: str) -> None:
    """What looks like another index is another one, and half a character is no text."""
    assert isinstance(render("logs-{tenant}", {"tenant": value}), Missing)


@hypothesis.given(
    st.sampled_from(["{a}", "logs-{a}", "logs-{a}-x", "logs-{a}{b}", ".own-{a}.{b}"]),
    st.text(max_size=8) | st.text("a.-_+*,/<é0", max_size=4),
    st.text("a.-_+*,/<é0", max_size=4),
)
def test_whatever_fields_say_a_name_is_legal_and_fits_its_template(
    template: str, a: str, b: str
) -> None:
    name = render(template, {"a": a, "b": b})

    if isinstance(name, Missing):
        return
    assert problem_of_name(name) is None
    assert not name.startswith((".", "-", "_", "+")) or name.startswith(".own-")
    before, after = template.split("{", maxsplit=1)[0], template.rsplit("}", maxsplit=1)[-1]
    assert name.startswith(before)
    assert name.endswith(after)
    assert len(name) > len(before) + len(after)
    assert name == template.replace("{a}", a).replace("{b}", b)


@pytest.mark.parametrize("template", ["e-{a}", "e-{header.a}", "e-{property.type}"])
def test_what_is_too_long_for_a_name_is_not_kept(template: str) -> None:
    """Names are remembered: a thousand of a megabyte would be a gigabyte."""
    parsed, reasons = parse_template(template), list[str]()
    tracemalloc.start()
    for number in range(20):
        text = f"{number}" + "x" * 1_000_000
        envelope = Properties(headers={"a": text}, type=text)
        missing = parsed.render({"a": text}, envelope, 0.0)
        assert isinstance(missing, Missing)
        reasons.append(missing.reason)
        del text, envelope
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 1_000_000
    assert all("255 bytes" in reason and len(reason) < 500 for reason in reasons)


@pytest.mark.parametrize(
    "name", ["events", "events-2026.01.31", ".own", "ereignisse-größe", "a_b+c"]
)
def test_a_name_without_places_is_a_template_too(name: str) -> None:
    template = parse_template(name)

    assert (template.fields, template.needs_properties) == (frozenset(), False)
    assert render(name) == name


@pytest.mark.parametrize(
    ("template", "fields", "properties"),
    [
        ("e-{a}", {"a"}, False),
        ("e-{header.a}", set(), True),
        ("e-{property.type}", set(), True),
        ("e-{headers.a}", {"headers", "headers.a"}, False),
        ("e-{@timestamp:%Y}", {"@timestamp"}, True),
    ],
)
def test_it_says_what_it_looks_at(template: str, fields: set[str], properties: bool) -> None:
    parsed = parse_template(template)

    assert (set(parsed.fields), parsed.needs_properties) == (fields, properties)


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ("events-{tenant", "needs its }"),
        ("events-tenant}", "needs its }"),
        ("events-{{tenant}}", "needs its }"),
        ("events-{}", "{tenant}"),
        ("events-{a..b}", "{tenant}"),
        ("events-{.a}", "{tenant}"),
        ("events-{tenant:%Y}", "write {tenant}"),
        ("events-{@timestamp}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:yyyy}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:%B}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:%Y%}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{property.size}", "message_id"),
        ("events-{property.headers}", "message_id"),
        ("Events-{tenant}", "lowercase"),
        ("events/{tenant}", "has no"),
        ("events-{@timestamp:%Y/%m}", "has no"),
        ("_events-{tenant}", "does not start with"),
        ("", "does not start with"),
        ("x" * 256, "255 bytes"),
    ],
)
def test_what_is_no_template_says_what_helps(template: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_template(template)


def test_lengths_are_in_bytes() -> None:
    assert problem_of_name("ü" * 127) is None
    assert problem_of_name("ü" * 128) is not None
