"""The layout of a delivery on the wire: a frame for method, header and each piece of the body.

Pure. `wire.py` cuts deliveries out of the byte stream, `properties.py` decodes their properties.
The layouts are those of AMQP 0-9-1, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct, pack
from typing import Any, NamedTuple

from pika import spec
from pika.exceptions import BodyTooLongError, InvalidFrameError

from connectors.message import Message

FRAME = Struct(">BHI")
"""Start of a frame: kind, channel, size of the payload. One more byte follows the payload."""

START = Struct(">BHII7s")
"""Start of a delivery: frame, method, consumer tag (of six characters)."""

HEADER_FIXED_BYTES = 12
"""Bytes of class, weight and length of the body, before the properties in a header frame."""

_TAG = Struct(">Q?")  # follows `START`: delivery tag, redelivered; after it comes the route
_LENGTH = Struct(">4xQ")  # of the body, in a header frame
_SIZE_AT = 3  # position of the size in a frame
_BASIC = pack(">HH", spec.BasicProperties.INDEX, 0)  # class and weight, in a header frame
_ACK = Struct(">BHIIQ?B")  # frame; method, delivery tag, multiple; end of the frame
_ACK_BYTES = _ACK.size - FRAME.size - 1


def start_of_deliveries(channel: int, consumer_tag: str) -> bytes:
    """Return the bytes with which all deliveries to a consumer start, without the frame size."""
    tag = _encode_short_string(consumer_tag)
    return without_size(START.pack(spec.FRAME_METHOD, channel, 0, spec.Basic.Deliver.INDEX, tag))


def without_size(start: bytes) -> bytes:
    """Leave out the size of the frame, which is between its channel and its payload."""
    return start[:3] + start[FRAME.size :]


class Shape(NamedTuple):
    """The constant parts of consecutive deliveries, and how to cut out the variable ones."""

    unpack: Callable[[bytes, int], tuple[Any, ...]]
    """Start, tag, redelivered, route, middle, length of the body, properties, last, size of the
    body frame."""
    size: int
    """Bytes that `unpack` reads; the body follows."""
    middle: bytes
    """End of the method frame, and the header frame up to the length of the body."""
    last: bytes
    """End of the header frame, and kind and channel of the body frame."""


@lru_cache(1024)
def shape(start: bytes, header_size: bytes) -> Shape:
    """Return the shape of a delivery, by its start and the size of its header frame."""
    _, channel, method_size, _, _ = START.unpack(start)
    route_bytes = max(0, FRAME.size + method_size - START.size - _TAG.size)
    properties_bytes = max(0, int.from_bytes(header_size, "big") - HEADER_FIXED_BYTES)
    struct = Struct(f">{START.size}s Q? {route_bytes}s 12s Q {properties_bytes}s 4sI")
    middle = pack(">BBH", spec.FRAME_END, spec.FRAME_HEADER, channel) + header_size + _BASIC
    last = pack(">BBH", spec.FRAME_END, spec.FRAME_BODY, channel)
    return Shape(struct.unpack_from, struct.size, middle, last)


def header_size_at(start: bytes) -> int:
    """Return the position of the header frame's size in a delivery with this start."""
    _, _, method_size, _, _ = START.unpack(start)
    return FRAME.size + int(method_size) + 1 + _SIZE_AT


class Assembly:
    """Assembles a message whose frames come one at a time."""

    def __init__(self, method_frame: bytes) -> None:
        """Begin with a method frame, without its last byte.

        Raises:
            InvalidFrameError: the frame is too short.

        """
        if len(method_frame) < START.size + _TAG.size:
            raise InvalidFrameError("a delivery is cut off")
        self._tag, self._redelivered = _TAG.unpack_from(method_frame, START.size)
        self._route = method_frame[START.size + _TAG.size :]
        self._properties = b""
        # A list of pieces would leave as many holes in the heap, where thirty pieces are a message.
        self._body: bytes | bytearray = b""
        self._length = 0

    def add(self, kind: int, payload: bytes) -> Message | None:
        """Add a frame; return the message if this was its last one.

        Raises:
            BodyTooLongError: the body is longer than its header has announced.
            InvalidFrameError: the header is cut off.

        """
        if kind == spec.FRAME_HEADER:
            if len(payload) < HEADER_FIXED_BYTES:
                raise InvalidFrameError("the header of a delivery is cut off")
            (self._length,) = _LENGTH.unpack_from(payload)
            self._properties = payload[HEADER_FIXED_BYTES:]
        else:
            self._body = self._joined(payload) if self._body else payload
        received = len(self._body)
        if received > self._length:
            raise BodyTooLongError(received, self._length)
        if received < self._length:
            return None
        body = bytes(self._body)  # the same object if it is one piece
        return Message(self._tag, self._redelivered, self._route, self._properties, body)

    def _joined(self, piece: bytes) -> bytearray:
        body = self._body if isinstance(self._body, bytearray) else bytearray(self._body)
        body += piece
        return body


def encode_ack(channel: int, tag: int) -> bytes:
    """Encode the frame that acknowledges one message."""
    return _ACK.pack(
        spec.FRAME_METHOD, channel, _ACK_BYTES, spec.Basic.Ack.INDEX, tag, False, spec.FRAME_END
    )


def encode_route(exchange: str, routing_key: str) -> bytes:
    """Encode a route as `Message.route` has it."""
    return _encode_short_string(exchange) + _encode_short_string(routing_key)


def _encode_short_string(text: str) -> bytes:
    """AMQP's `shortstr`: one byte of length, and UTF-8."""
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded
