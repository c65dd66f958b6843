"""A simulated broker for tests: pika connections without sockets, and frames to feed them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pika
from pika import frame, spec
from pika.adapters.utils.nbio_interface import AbstractIOServices
from pika.channel import Channel

MAX_FRAME = 8192
"""Bytes; small, so that bodies of several frames stay small too."""

_NO_LOOP = Mock(spec=AbstractIOServices)
"""Its timers never fire; a real loop would hold two sockets open."""


def connect(base: Any) -> tuple[Any, list[Channel]]:
    """Open a connection of that class, with channels 1 and 2."""

    class UnsocketedConnection(base):  # type: ignore[misc]  # pika has no types
        written: list[bytes]

        def _adapter_connect_stream(self) -> None:
            self.written = []

        def _adapter_emit_data(self, data: bytes) -> None:
            self.written.append(data)

    parameters = pika.ConnectionParameters(heartbeat=0)
    connection = UnsocketedConnection(parameters, custom_ioloop=_NO_LOOP)
    connection._on_stream_connected()
    start = spec.Connection.Start(0, 9, {"capabilities": {}}, "PLAIN", "en_US")
    feed(connection, method(0, start))
    feed(connection, method(0, spec.Connection.Tune(2047, MAX_FRAME, 0)))
    feed(connection, method(0, spec.Connection.OpenOk()))
    return connection, [open_channel(connection, number) for number in (1, 2)]


def open_channel(connection: Any, number: int) -> Channel:
    channel = connection.channel(channel_number=number, on_open_callback=lambda _: None)
    feed(connection, method(number, spec.Channel.OpenOk()))
    return channel


def feed(connection: Any, data: bytes) -> None:
    """Give the connection bytes, as if the socket had read them."""
    connection._on_data_available(data)


def method(channel: int, what: Any) -> bytes:
    return bytes(frame.Method(channel, what).marshal())


def content(channel: int, what: Any, body: bytes, properties: Any = None) -> list[bytes]:
    """The frames of a message with content."""
    header = frame.Header(channel, len(body), properties or spec.BasicProperties())
    step = MAX_FRAME - 8  # a frame has eight bytes around its payload
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    return [
        method(channel, what),
        header.marshal(),
        *(frame.Body(channel, piece).marshal() for piece in pieces),
    ]


def delivery(
    consumer_tag: str, tag: int, body: bytes = b"{}", properties: Any = None, channel: int = 1
) -> list[bytes]:
    deliver = spec.Basic.Deliver(consumer_tag, tag, False, "ex", "key")
    return content(channel, deliver, body, properties)


def weave(lanes: dict[int, list[bytes]], order: random.Random, in_a_row: int) -> bytes:
    """Mix the frames of the channels; each channel keeps its own order."""
    waiting = {channel: frames[::-1] for channel, frames in lanes.items()}
    stream = []
    while channels := [channel for channel, frames in waiting.items() if frames]:
        frames = waiting[order.choice(channels)]
        stream += [frames.pop() for _ in range(min(len(frames), order.randint(1, in_a_row)))]
    return b"".join(stream)


def cut(stream: bytes, order: random.Random, size: int) -> Iterator[bytes]:
    """Cut the stream into reads of up to `size` bytes."""
    while stream:
        at = order.randint(1, size)
        yield stream[:at]
        stream = stream[at:]
