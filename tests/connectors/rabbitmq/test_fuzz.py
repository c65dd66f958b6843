"""Bytes from outside can end a connection or reject a message, but do nothing else.

`make fuzz` runs the same tests with many more inputs.
"""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from pika.exceptions import AMQPError

from connectors.message import Message, Properties, Rejected, Rejection
from connectors.rabbitmq.dead_letter_headers import envelope
from connectors.rabbitmq.properties import basic_properties, decode, header, readable
from connectors.rabbitmq.slow_start import split_off_poison
from connectors.rabbitmq.stream_offsets import offset_of
from connectors.rabbitmq.table import decode_table
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import (
    MAX_FRAME,
    connect,
    content,
    delivery,
    feed,
    method,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)

fields = st.recursive(
    st.sampled_from(b"tbBsUuIiLlfdDTVSxFA~").flatmap(
        lambda kind: st.binary(max_size=12).map(lambda noise: bytes([kind]) + noise)
    ),
    lambda inner: st.tuples(st.sampled_from([b"A", b"F"]), st.lists(inner, max_size=4)).map(
        lambda nested: nested[0] + _long(b"\x01n".join(nested[1]))
    ),
    max_leaves=8,
)
"""Values of all types, mostly broken."""
tables = st.lists(st.tuples(st.binary(max_size=5), fields), max_size=6).map(
    lambda named: _long(b"".join(bytes([len(n)]) + n + value for n, value in named))
)
envelopes = st.one_of(
    st.binary(max_size=80),
    st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40), tables, st.binary(max_size=40)).map(
        lambda parts: struct.pack(">H", parts[0]) + parts[1] + parts[2] + parts[3]
    ),
    tables.map(lambda table: b"\x20\x00" + table),
)
changes = st.lists(
    st.tuples(st.integers(0, 2**20), st.integers(0, 9), st.binary(max_size=9)), max_size=6
)
"""Remove some bytes at a position, and insert others."""


def _long(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


@given(tables | st.binary(max_size=80))
def test_any_bytes_are_a_table_or_an_error(noise: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(decode_table(noise, 0)[0], dict)


@given(envelopes, st.binary(max_size=20))
def test_any_bytes_are_an_envelope_or_an_error(noise: bytes, route: bytes) -> None:
    """In any state of the reader."""
    message = Message(1, True, route, noise, b"body")
    with contextlib.suppress(ValueError):
        assert isinstance(decode(message), Properties)
    header(noise, b"n")
    offset_of(message)
    good, poison = split_off_poison([message], max_deliveries=10)
    assert len(good) + len(poison) == 1
    assert isinstance(readable(noise), bytes)


@given(envelopes, st.binary(max_size=20), st.text(max_size=300))
def test_every_message_can_be_parked(noise: bytes, route: bytes, reason: str) -> None:
    message = Message(1, True, route, noise, b"body")

    basic_properties(message, {}).encode()
    rejected = Rejected(message, Rejection(reason, 400, reason, reason))
    copy = envelope(rejected, "queue", 7, NOW, 4096)

    assert len(b"".join(copy.encode())) <= 4096 - 20


@given(changes, st.lists(st.integers(1, 200), min_size=1, max_size=8), envelopes)
def test_a_stream_of_any_bytes_at_most_ends_the_connection(
    changed: list[tuple[int, int, bytes]], reads: list[int], properties: bytes
) -> None:
    """By an error that pika names: then the job reconnects; other errors would end the job."""
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = connection.consume_batches(channel, "queue", messages.extend)
    feed(connection, method(1, spec.Basic.ConsumeOk(tag)))
    stream = bytearray(_stream(tag, properties))
    for at, away, new in changed:
        place = at % (len(stream) + 1)
        stream[place : place + away] = new

    with contextlib.suppress(AMQPError):
        turn = 0
        while stream:
            size = reads[turn % len(reads)]
            feed(connection, bytes(stream[:size]))
            del stream[:size]
            turn += 1

    for message in messages:
        with contextlib.suppress(ValueError):
            decode(message)


def _stream(tag: str, noise: bytes) -> bytes:
    """Messages of all sizes, a returned message, and other methods of a broker."""

    class Encoded(spec.BasicProperties):  # type: ignore[misc]  # pika has no types
        def encode(self) -> list[bytes]:
            return [noise]

    def deliver(number: int, body: bytes, properties: Any = None) -> bytes:
        return b"".join(delivery(tag, number, body, properties))

    returned = content(1, spec.Basic.Return(312, "NO_ROUTE", "", "x"), b"back", Encoded())
    return b"".join(
        [
            deliver(1, b"{}"),
            deliver(2, b"{}", spec.BasicProperties(message_id="m", headers={"n": 1})),
            b"\x08\x00\x00\x00\x00\x00\x00\xce",  # a heartbeat
            deliver(3, b"", Encoded()),
            method(0, spec.Connection.Blocked("low on memory")),
            *returned,
            deliver(4, bytes(MAX_FRAME + 10)),
            method(1, spec.Basic.Ack(1, True)),
            deliver(5, b"{}", Encoded()),
        ]
    )
