"""Index names with placeholders."""

from __future__ import annotations

import re
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from connectors.elasticsearch.index_name import problem_of_name
from connectors.elasticsearch.template import Missing, lookup, parse_template
from connectors.message import Properties

ARRIVED = 1_767_225_599.9  # 2025-12-31T23:59:59.9Z
NO_DATE = 'is no date, as "2026-01-31T12:00:00Z" or a Unix time'


def render(
    template: str, document: dict[str, Any] | None = None, properties: Properties | None = None
) -> str | Missing:
    return parse_template(template).render(document or {}, properties or Properties(), ARRIVED)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("acme", "acme"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        (2**70, "1180591620717411303424"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_texts_numbers_and_booleans_name_an_index(value: object, text: str) -> None:
    assert render("events-{tenant}", {"tenant": value}) == f"events-{text}"


@pytest.mark.parametrize("value", [None, "", ["a"], {"a": "b"}, float("nan")])
def test_other_values_do_not_name_an_index(value: object) -> None:
    assert isinstance(render("events-{tenant}", {"tenant": value}), Missing)
    assert isinstance(render("events-{tenant}", {}), Missing)


def test_a_placeholder_can_be_a_path_in_the_document() -> None:
    assert render("e-{a.b}-{c}", {"a": {"b": "x"}, "c": "y"}) == "e-x-y"
    assert lookup({"a.b": "x"}, "a.b") == "x"
    assert lookup({"a": "x"}, "a.b") is None


def test_a_placeholder_can_be_a_header_or_a_property() -> None:
    properties = Properties(headers={"x.y": "h"}, app_id="shop", priority=3)

    assert render("e-{header.x.y}", properties=properties) == "e-h"
    assert render("e-{property.app_id}-{property.priority}", properties=properties) == "e-shop-3"
    assert isinstance(render("e-{header.z}"), Missing)
    assert isinstance(render("e-{property.app_id}"), Missing)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (Decimal("1.50"), "1.5"),
        (Decimal("3"), "3"),
        (2.5, "2.5"),
        (b"bytes", "bytes"),
    ],
)
def test_a_header_of_any_amqp_type_names_an_index(value: object, text: str) -> None:
    assert render("e-{header.x}", properties=Properties(headers={"x": value})) == f"e-{text}"


def test_a_header_with_a_time_names_an_index_by_its_date() -> None:
    sent = Properties(headers={"sent": datetime(2026, 1, 31, 23, tzinfo=UTC)})

    assert render("e-{header.sent:%Y.%m}", properties=sent) == "e-2026.01"
    rendered = render("e-{header.sent}", properties=sent)
    assert rendered == Missing("header.sent is a time: write {header.sent:%Y.%m.%d}")


def test_a_placeholder_can_be_routing_key_exchange_or_queue() -> None:
    route = Properties("Shop", "orders.new")

    assert render("e-{routing_key}-{exchange|lower}", properties=route) == "e-orders.new-shop"
    assert render("e-{routing_key}") == Missing("no text or number in routing_key")
    named = parse_template("e-{queue}", "orders").render({"queue": "q"}, route, ARRIVED)
    assert named == "e-orders"


@pytest.mark.parametrize("name", ["queue", "routing_key", "exchange", "header.x", "property.type"])
def test_a_field_with_a_name_of_the_envelope_needs_body(name: str) -> None:
    assert render(f"e-{{body.{name}}}", {name: "field"}, Properties("x", "x")) == "e-field"
    assert parse_template(f"e-{{body.{name}}}").fields >= {name}


def test_other_fields_of_a_field_called_body_need_no_prefix() -> None:
    for name in ("tenant", "queue_size", "exchanges", "headers"):
        assert render(f"e-{{body.{name}}}", {"body": {name: "a"}}) == "e-a"


@pytest.mark.parametrize("value", ["ACME", "acme", "Acme"])
def test_lower_makes_a_value_lowercase(value: str) -> None:
    assert render("e-{tenant|lower}-x", {"tenant": value}) == "e-acme-x"
    assert render("e-{a.b|lower}", {"a": {"b": value}}) == "e-acme"
    assert render("e-{header.t|lower}", properties=Properties(headers={"t": value})) == "e-acme"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("ts", {"ts": "2026-01-31T23:30:00Z"}),
        ("time", {"time": 1_769_902_200}),
        ("@t", {"@t": "2026-01-31T23:30:00.1234567Z"}),
        ("message.sentTime", {"message": {"sentTime": "2026-01-31T23:30:00+00:00"}}),
        ("message.sentTime", {"message.sentTime": "2026-01-31"}),
        ("window_start", {"window_start": "2026-01-31T00:00:00.000Z"}),
    ],
)
def test_any_field_may_contain_the_date(path: str, document: dict[str, Any]) -> None:
    template = f"x-{{{path}:%Y.%m.%d}}"

    assert render(template, document, Properties(timestamp=1)) == "x-2026.01.31"
    assert not parse_template(template).needs_properties


def test_properties_may_contain_the_date() -> None:
    assert render("x-{property.timestamp:%Y}", properties=Properties(timestamp=86400)) == "x-1970"
    routed = Properties(routing_key="2026-01-31")
    assert render("x-{routing_key:%Y.%m}", properties=routed) == "x-2026.01"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("yesterday", f"ts {NO_DATE}: 'yesterday'"),
        (True, f"ts {NO_DATE}: true"),
        ([1], f"ts {NO_DATE}: a list"),
        ({}, f"ts {NO_DATE}: an object"),
        (None, "no date in ts"),
    ],
)
def test_a_field_without_a_date_is_rejected_with_its_value(value: object, reason: str) -> None:
    """The time of arrival replaces only a missing `@timestamp`."""
    assert render("x-{ts:%Y}", {"ts": value}, Properties(timestamp=1)) == Missing(reason)


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_the_time_of_sending_has_the_unit_of_its_magnitude(unit: int) -> None:
    sent = Properties(timestamp=1_769_902_200 * unit)

    assert render("e-{@timestamp:%Y.%m.%d-%H}", properties=sent) == "e-2026.01.31-23"


def test_an_invalid_time_of_sending_is_rejected() -> None:
    sent = Properties(timestamp=10**21)

    expected = Missing(f"property.timestamp {NO_DATE}: 1000000000000000000000")
    assert render("e-{@timestamp:%Y}", properties=sent) == expected


@pytest.mark.parametrize(
    ("format", "text"),
    [("%Y.%m.%d-%H", "0001.01.01-00"), ("%G-%V", "0001-01"), ("%y-%j", "01-001")],
)
def test_early_years_keep_their_zeros(format: str, text: str) -> None:
    assert render(f"e-{{@timestamp:{format}}}", {"@timestamp": "0001-01-01"}) == f"e-{text}"


@hypothesis.given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30)))
def test_dates_are_printed_like_strftime(moment: datetime) -> None:
    format = "%Y.%y.%m.%d.%H.%j.%G.%V"
    named = render(f"e-{{ts:{format}}}", {"ts": moment.isoformat()})

    assert named == f"e-{moment:{format}}"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-01-31T23:30Z", "2026.01.31"),
        ("2026-01-31 23:30:00,123", "2026.01.31"),
        ("2026-02-01T00:30:00+0100", "2026.01.31"),
        ("2026-02-01T00:30:00+01", "2026.01.31"),
        ("1769902200", "2026.01.31"),
        ("1769902200000", "2026.01.31"),
        (1_769_902_200_000_000, "2026.01.31"),
        (1_769_902_200_000_000_000, "2026.01.31"),
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


def test_without_a_date_the_time_of_sending_or_of_arrival_counts() -> None:
    template = "e-{@timestamp:%Y-%m-%d-%H}"

    assert render(template, properties=Properties(timestamp=7200)) == "e-1970-01-01-02"
    assert render(template, {"@timestamp": None}) == "e-2025-12-31-23"


@pytest.mark.parametrize(
    "value", ["yesterday", "", True, [1], "2026-13-01T00:00:00Z", 1e300, -1e14]
)
def test_an_invalid_date_is_not_replaced(value: object) -> None:
    name = render("e-{@timestamp:%Y}", {"@timestamp": value})

    assert isinstance(name, Missing)
    assert name.reason.startswith(f"@timestamp {NO_DATE}: ")


def test_weeks_have_their_own_year() -> None:
    assert render("e-{@timestamp:%G-w%V}", {"@timestamp": "2027-01-01T00:00:00Z"}) == "e-2026-w53"


@pytest.mark.parametrize(
    "value",
    ["ACME", "a b", "a/b", "a,b", "a*", "a#b", "a:b", "a\nb", "x" * 255, "ü" * 130, '"', "<a>"],
)
def test_a_document_cannot_produce_an_illegal_index_name(value: str) -> None:
    name = render("events-{tenant}", {"tenant": value})

    assert isinstance(name, Missing)
    assert "is not allowed" in name.reason


@pytest.mark.parametrize("template", ["{tenant}", "logs-{tenant}", "{@timestamp:%Y}{tenant}"])
@pytest.mark.parametrize("value", [".security", "-x", "_all", "+x", ".", "..", "_bulk", -1])
def test_a_document_cannot_reach_an_index_outside_its_template(
    template: str, value: object
) -> None:
    name = render(template, {"tenant": value})

    assert isinstance(name, Missing)
    assert "begins with one of" in name.reason


@pytest.mark.parametrize("value", ["a\u2028b", "a\x7fb", "\ud83d", "\xa0", "\u200bx", "\u202ex"])
def test_index_names_have_only_visible_characters(value: str) -> None:
    """A name with invisible characters is another index, and half a character is no text."""
    assert isinstance(render("logs-{tenant}", {"tenant": value}), Missing)


@hypothesis.given(
    st.sampled_from(["{a}", "logs-{a}", "logs-{a}-x", "logs-{a}{b}", ".own-{a}.{b}"]),
    st.text(max_size=8) | st.text("a.-_+*,/<é0", max_size=4),
    st.text("a.-_+*,/<é0", max_size=4),
)
def test_every_rendered_name_is_legal_and_fits_its_template(template: str, a: str, b: str) -> None:
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
def test_a_value_that_is_too_long_for_a_name_is_not_cached(template: str) -> None:
    """Names are cached: a thousand names of a megabyte would take a gigabyte."""
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
def test_a_name_without_placeholders_is_a_template_too(name: str) -> None:
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
        ("e-{ts:%Y}", {"ts"}, False),
        ("e-{routing_key}", set(), True),
        ("e-{queue}", set(), False),
    ],
)
def test_a_template_lists_the_fields_it_reads(
    template: str, fields: set[str], properties: bool
) -> None:
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
        ("events-{tenant:yyyy}", "{tenant:yyyy}: a date is made of %Y"),
        ("events-{tenant:yyyy}", "write {tenant:%Y.%m.%d}"),
        ("events-{a}-{b|upper}", "{b|upper}: only lower may follow a |: write {b|lower}"),
        ("events-{ts|lower:%Y}", "write {ts|lower}"),
        ("events-{@timestamp}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:yyyy}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:%B}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{@timestamp:%Y%}", "write {@timestamp:%Y.%m.%d}"),
        ("events-{property.size}", "message_id"),
        ("events-{property.headers}", "message_id"),
        ("Events-{tenant}", "lowercase"),
        ("events/{tenant}", "must have no"),
        ("events-{@timestamp:%Y/%m}", "must have no"),
        ("_events-{tenant}", "must not start with"),
        ("", "must not start with"),
        ("x" * 256, "255 bytes"),
    ],
)
def test_an_invalid_template_is_refused_with_a_remedy(template: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_template(template)


def test_lengths_are_in_bytes() -> None:
    assert problem_of_name("ü" * 127) is None
    assert problem_of_name("ü" * 128) is not None
