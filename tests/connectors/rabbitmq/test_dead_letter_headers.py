"""The envelope of a parked message fits into a frame with any headers of its sender."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pika import frame, spec

from connectors.message import Message, Properties, Rejected, Rejection
from connectors.rabbitmq.dead_letter_headers import envelope
from connectors.rabbitmq.delivery import encode_route
from connectors.rabbitmq.properties import decode

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FRAME_BYTES = 4096
"""The smallest frame size that AMQP allows."""


def message(headers_bytes: int = 0, **properties: Any) -> Message:
    """A message with one header of that many bytes."""
    if headers_bytes:
        properties["headers"] = {"blob": "x" * headers_bytes}
    encoded = b"".join(spec.BasicProperties(**properties).encode())
    return Message(1, False, encode_route("exchange", "key"), encoded, b"body")


def parked(original: Message, reason: str = "bad") -> Properties:
    """The envelope of the parked copy, as a consumer receives it."""
    rejection = Rejection(reason, 400, "events", "id-1", 3)
    properties = envelope(Rejected(original, rejection), "queue", 7, NOW, FRAME_BYTES)
    assert len(frame.Header(1, 4, properties).marshal()) <= FRAME_BYTES
    return decode(replace(original, properties=b"".join(properties.encode())))


def headers_of(properties: Properties) -> dict[str, Any]:
    assert properties.headers is not None
    return properties.headers


def test_all_headers_are_kept_if_they_fit() -> None:
    copy = parked(message(100, message_id="m-1", user_id="u", expiration="60000"))

    headers = headers_of(copy)
    assert headers.pop("blob") == "x" * 100
    assert headers == {
        "x-hopper-reason": "bad",
        "x-hopper-status": 400,
        "x-hopper-index": "events",
        "x-hopper-id": "id-1",
        "x-hopper-attempts": 3,
        "x-hopper-time": "2026-01-01T00:00:00.000+00:00",
        "x-hopper-queue": "queue",
        "x-hopper-exchange": "exchange",
        "x-hopper-routing-key": "key",
        "x-hopper-user-id": "u",
        "x-hopper-expiration": "60000",
        "x-hopper-number": 7,
    }
    assert (copy.message_id, copy.user_id, copy.expiration) == ("m-1", None, None)


@pytest.mark.parametrize(
    ("headers_bytes", "reason_length", "index", "blob", "left_out"),
    [
        (500, 2000, True, True, None),
        (2000, 200, True, True, None),
        (3600, 200, False, True, None),
        (4000, 200, True, False, "headers"),
    ],
)
def test_the_least_important_headers_are_left_out_first(
    headers_bytes: int, reason_length: int, index: bool, blob: bool, left_out: str | None
) -> None:
    """First the end of a long reason, then our other headers, then the sender's headers."""
    headers = headers_of(parked(message(headers_bytes, message_id="m-1"), "r" * 3000))

    assert headers["x-hopper-reason"] == "r" * reason_length
    assert headers["x-hopper-queue"] == "queue"
    assert headers["x-hopper-number"] == 7
    assert ("x-hopper-index" in headers, "blob" in headers) == (index, blob)
    assert headers.get("x-hopper-left-out") == left_out


def test_properties_are_never_left_out() -> None:
    """With the longest properties, the smallest frame, and a reason in a large alphabet."""
    names = ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id")
    more = ("type", "user_id", "app_id", "cluster_id", "expiration")
    full = message(4000, **dict.fromkeys(names + more, "x" * 255))

    copy = parked(full, "\N{GRINNING FACE}" * 3000)

    assert headers_of(copy)["x-hopper-left-out"] == "headers"
    assert headers_of(copy)["x-hopper-reason"] == "\N{GRINNING FACE}" * 200
    assert (copy.cluster_id, copy.message_id) == ("x" * 255, "x" * 255)


def test_half_a_character_becomes_a_question_mark() -> None:
    """JSON can contain one, UTF-8 cannot; Elasticsearch quotes the document."""
    assert headers_of(parked(message(), "no \ud800"))["x-hopper-reason"] == "no ?"


@given(st.binary(max_size=4060), st.text(max_size=3000))
def test_every_parked_message_fits_into_the_frame(noise: bytes, reason: str) -> None:
    """And it has its reason."""
    table = b"\xa0\x00\x01a" + struct.pack(">I", len(noise)) + noise
    for properties in (noise, table):
        headers = headers_of(parked(Message(1, False, b"\x00\x00", properties, b""), reason))
        assert reason.startswith(headers["x-hopper-reason"])
        assert headers["x-hopper-number"] == 7
