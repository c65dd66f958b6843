"""Envelopes that pika writes, envelopes that it cannot write, and invalid ones."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from connectors.message import Message, Properties
from connectors.rabbitmq.delivery import encode_route
from connectors.rabbitmq.properties import basic_properties, decode, readable, runs

short_texts = st.text(max_size=30)
octets = st.integers(0, 255)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        name: short_texts
        for name in spec.BasicProperties().__dict__
        if name not in ("headers", "delivery_mode", "priority", "timestamp")
    }
    | {
        "headers": st.dictionaries(short_texts, st.integers(0, 9) | short_texts, max_size=3),
        "delivery_mode": octets,
        "priority": octets,
        "timestamp": st.integers(0, 2**64 - 1),
    },
)
FLOAT = b"\x05floatd" + struct.pack(">d", 0.5)
"""A header that pika can neither read correctly nor write."""


def encoded(**properties: Any) -> bytes:
    return b"".join(spec.BasicProperties(**properties).encode())


def message(properties: bytes) -> Message:
    return Message(1, False, encode_route("exchange", "key"), properties, b"body")


def message_with_headers(*fields: bytes) -> Message:
    """A message with encoded headers; its content type is `a/b`, its id `m-1`."""
    table = b"".join(fields)
    headers = struct.pack(">I", len(table)) + table
    return message(b"\xa0\x80" + b"\x03a/b" + headers + b"\x03m-1")


def test_floats_stay_floats() -> None:
    """In pika they become integers."""
    decoded = decode(message_with_headers(FLOAT))

    assert decoded.headers == {"float": 0.5}
    assert (decoded.content_type, decoded.message_id) == ("a/b", "m-1")


@given(short_texts, short_texts, envelopes)
def test_decodes_what_pika_encodes(exchange: str, key: str, envelope: dict[str, Any]) -> None:
    route, properties = encode_route(exchange, key), encoded(**envelope)

    decoded = decode(Message(1, False, route, properties, b""))

    assert decoded == Properties(exchange, key, **envelope)


def test_text_that_is_not_utf_8_gets_replacement_characters() -> None:
    properties = encoded(content_type=b"\xff", message_id=b"\xff-1")
    decoded = decode(Message(1, False, b"\x01\xff\x01\xff", properties, b""))

    replaced = "\N{REPLACEMENT CHARACTER}"
    assert decoded == Properties(
        replaced, replaced, content_type=replaced, message_id=f"{replaced}-1"
    )


@given(envelopes, st.data())
def test_truncated_properties_are_refused(envelope: dict[str, Any], data: Any) -> None:
    properties = encoded(**envelope)
    broken = properties[: data.draw(st.integers(0, len(properties) - 1))]

    with pytest.raises(ValueError, match="cut off"):
        decode(message(broken))


@pytest.mark.parametrize("flag", [0x0001, 0x0002])
def test_unknown_property_flags_are_named(flag: int) -> None:
    with pytest.raises(ValueError, match="unknown"):
        decode(message(struct.pack(">H", 0x8000 | flag) + b"\x01a"))


@given(st.binary(max_size=60))
def test_any_bytes_are_an_envelope_or_a_value_error(noise: bytes) -> None:
    """And the message can be parked in any case."""
    with contextlib.suppress(ValueError):
        assert isinstance(decode(message(noise)), Properties)
    copy = spec.BasicProperties().decode(b"".join(basic_properties(message(noise), {}).encode()))
    assert copy.delivery_mode == 2


@given(envelopes)
def test_a_copy_keeps_all_properties_and_is_persistent(envelope: dict[str, Any]) -> None:
    extra = {"x-reason": "why", "x-status": 400}

    copy = b"".join(basic_properties(message(encoded(**envelope)), extra).encode())

    changed = {"headers": envelope.get("headers", {}) | extra, "delivery_mode": 2}
    assert decode(message(copy)) == decode(message(encoded(**envelope)))._replace(**changed)


def test_the_headers_of_a_copy_are_the_original_bytes() -> None:
    """With pika 0.5 would become 0, and an array of ten thousand levels would be too deep."""
    deep = b"V"
    for _ in range(10_000):
        deep = b"A" + struct.pack(">I", len(deep)) + deep
    fields = [FLOAT, b"\x04deep" + deep, b"\x05largei\xff\xff\xff\xff"]
    original = message_with_headers(*fields)

    copy = b"".join(basic_properties(original, {"x-reason": "why"}).encode())

    assert copy.endswith(b"\x02\x03m-1")
    start = 2 + len(b"\x03a/b")
    assert copy[start + 4 :].startswith(b"".join(fields) + b"\x08x-reasonS\x00\x00\x00\x03why")


def test_an_extra_header_replaces_one_of_its_name() -> None:
    original = message_with_headers(b"\x08x-reasonV", FLOAT, b"\x08x-reasonV")

    copy = basic_properties(original, {"x-reason": "why"})

    assert decode(message(b"".join(copy.encode()))).headers == {"float": 0.5, "x-reason": "why"}


def test_a_copy_can_be_changed() -> None:
    """A parked message must not expire, for example."""
    copy = basic_properties(message(encoded(expiration="60000", content_type="a/b")), {})

    copy.expiration = copy.content_type = None
    copy.headers["x-number"] = 1

    decoded = decode(message(b"".join(copy.encode())))
    assert (decoded.expiration, decoded.content_type) == (None, None)
    assert decoded.headers == {"x-number": 1}


def test_text_that_is_not_utf_8_is_copied_unchanged() -> None:
    original = message(encoded(message_id=b"\xff"))

    assert b"".join(basic_properties(original, {}).encode()).endswith(b"\x01\xff")


@pytest.mark.parametrize(
    "field",
    [
        b"\x01nd" + struct.pack(">d", float("nan")),
        b"\x01tT" + b"\xff" * 8,
        b"\x01dD\xff\x7f\xff\xff\xff",
        b"\x01u~",
    ],
    ids=["no number", "no time", "decimal", "unknown"],
)
def test_pika_can_read_repaired_properties(field: bytes) -> None:
    """Everything but headers that pika cannot read; all headers if the table itself is broken."""
    text = b"\x01sS\x00\x00\x00\x01x"
    original = message_with_headers(b"\x01iI\x00\x00\x00\x07", field, text).properties

    read = spec.BasicProperties().decode(readable(original))

    assert (read.content_type, read.message_id) == ("a/b", "m-1")
    assert read.headers == (None if b"~" in field else {"i": 7, "s": "x"})


one_property = st.sampled_from(
    [
        {},
        {"content_type": "application/json"},
        {"headers": {"a": 1}, "timestamp": 7},
        {"headers": {"a": 2}, "timestamp": 7},
        {"correlation_id": "m-1", "type": "m-1"},
    ]
)
names = st.sampled_from(["m-1", "m-2", "m-10", "", "é", "m", None])
broken = st.sampled_from([b"", b"\x00", b"\x00\x80\xff", b"\x00\x80", b"\x00\x01\x00"])
streams = st.lists(
    st.builds(
        lambda route, properties: Message(1, False, route, properties, b"body"),
        st.sampled_from([encode_route("exchange", "key"), encode_route("exchange", "yek")]),
        st.builds(lambda others, name: encoded(**others, message_id=name), one_property, names)
        | broken,
    )
)


@given(streams)
def test_runs_have_the_envelopes_of_their_messages(messages: list[Message]) -> None:
    """All messages, in order, and each as if it were decoded by itself."""
    found: list[tuple[Message, Properties | str]] = []
    for run in runs(messages):
        each = [run.problem] * len(run.messages) if run.problem else run.of_each()
        found += zip(run.messages, each, strict=False)

    assert found == [(one, decoded_alone(one)) for one in messages]


def decoded_alone(message: Message) -> Properties | str:
    try:
        return decode(message)
    except ValueError as error:
        return str(error)


def test_messages_that_differ_in_the_id_only_are_one_run() -> None:
    """Their envelopes are decoded once, except the ids."""
    alike = [message(encoded(type="a", message_id=f"m-{n}", app_id="x")) for n in range(9)]
    other = message(encoded(type="b", message_id="m-9", app_id="x"))

    assert [len(run.messages) for run in runs([*alike, other])] == [9, 1]
    assert [len(run.messages) for run in runs([*[other] * 5, message(encoded(type="b"))])] == [5, 1]
